package report

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// label matches the texts of axes: how they are anchored, where, and what they say.
var label = regexp.MustCompile(`<text x="([0-9.-]+)" y="[0-9.-]+"([^>]*)>([^<]*)</text>`)

// TestTicksDiffer: values that differ late in their digits are still told apart, and no text is outside of its picture.
func TestTicksDiffer(t *testing.T) {
	for _, tt := range []struct{ from, step float64 }{
		{0.98765, 1e-6}, {1234567, 0.25}, {-0.000123456, 1e-10}, {0, 1}, {1e9, 1}, {-1e-300, 1e-303}, {0.1, 0}, {1, 1e-15}, {1, 1e30},
	} {
		in := study(t, 8, 2, "")
		for i := range in.Trials {
			value := strconv.FormatFloat(tt.from+float64(i)*tt.step, 'g', -1, 64)
			in.Trials[i].State = experiment.TrialSucceeded
			in.Trials[i].Observation.Metrics = []experiment.Metric{{Name: "loss", Min: value, Max: value, Latest: value}}
		}
		for k, plot := range strings.Split(written(t, in), "<svg ")[1:] {
			box := regexp.MustCompile(`viewBox="0 0 ([0-9.]+)`).FindStringSubmatch(plot)
			width, _ := strconv.ParseFloat(box[1], 64)
			seen := map[string]bool{}
			for _, found := range label.FindAllStringSubmatch(plot, -1) {
				found[3] = html.UnescapeString(found[3])
				at, _ := strconv.ParseFloat(found[1], 64)
				long := float64(len([]rune(found[3]))) * glyph
				low, high := at, at+long
				switch {
				case strings.Contains(found[2], "rotate"):
					continue
				case strings.Contains(found[2], "end"):
					low, high = at-long, at
					if seen[found[3]] {
						t.Errorf("from %v by %v: two ticks of plot %d are %s", tt.from, tt.step, k, found[3])
					}
					seen[found[3]] = true
				case strings.Contains(found[2], "middle"):
					low, high = at-long/2, at+long/2
				}
				if low < 0 || high > width {
					t.Errorf("from %v by %v: %q of plot %d is from %.0f to %.0f, beyond 0 to %.0f", tt.from, tt.step, found[3], k, low, high, width)
				}
			}
		}
	}
}

// TestEachOfSixCategoriesHasALabel: also where their names are long.
func TestEachOfSixCategoriesHasALabel(t *testing.T) {
	names := []string{"adam", "adamw", "sgd-nesterov", "rmsprop", "adagrad", "adadelta"}
	d := dial{scale: scale{low: -0.5, high: 5.5, from: 60, to: 310}, labels: names}
	ticks := d.ticks()
	if got := fmt.Sprint(ticks); len(ticks) != 6 || !ticks[0].Turned {
		t.Errorf("got %s, want six that are turned", got)
	}
	d.labels = []string{"a", "b", "c", "d", "e", "f"}
	if ticks := d.ticks(); len(ticks) != 6 || ticks[0].Turned {
		t.Errorf("got %v, want six that are not turned", ticks)
	}
}

func TestHeadlineTellsTheBestFromTheNext(t *testing.T) {
	in := study(t, 2, 1, "")
	for i, value := range []string{"0.98765432101", "0.98765432109"} {
		in.Trials[i].State = experiment.TrialSucceeded
		in.Trials[i].Observation.Metrics = []experiment.Metric{{Name: "loss", Min: value, Max: value, Latest: value}}
	}
	if text := written(t, in); !strings.Contains(text, "loss = 0.987654321<") {
		t.Error("the headline has too few digits")
	}
}

func TestControlCharactersAreShown(t *testing.T) {
	in := study(t, 2, 1, "")
	in.Experiment.Note.Text, in.Trials[0].Note.Text = "a\x1b[31mb", "c\u009bd"
	text := written(t, in)
	if strings.ContainsAny(text, "\x1b\u009b") || !strings.Contains(text, `a\x1b[31mb`) || !strings.Contains(text, `c\u009bd`) {
		t.Error("control characters of notes stand raw, or are gone")
	}
}
