package collector

import (
	"strings"
	"testing"
)

func TestMinusSign(t *testing.T) {
	for _, tt := range []struct {
		name, filter, line, want string
	}{
		{"built in", "", "loss=−0.5", "-0.5"},
		{"after a colon", "", "epoch 1 loss: −.5", "-.5"},
		{"in an exponent", "", "loss=1e−3", "1e-3"},
		{"infinite", "", "loss=−inf", "-inf"},
		{"JSON", "", `{"loss": −0.25}`, "-0.25"},
		{"a filter", `(loss) is ([-+]?[\d.]+)`, "loss is −0.5", "-0.5"},
		{"Katib's filter", `([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)`, "loss=−0.5", "-0.5"},
		{"a filter that knows it", `(loss) is ([-−]?[\d.]+)`, "loss is −0.5", "-0.5"},
		{"a filter with a mark", `(loss) − ([\d.]+)`, "loss − 0.5", "0.5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var filters []string
			if tt.filter != "" {
				filters = []string{tt.filter}
			}
			c, err := NewText([]string{"loss"}, filters)
			if err != nil {
				t.Fatal(err)
			}
			got := c.Line(tt.line)
			if len(got) != 1 || got[0].Text != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestNoProposalTurnsASign(t *testing.T) {
	for _, line := range []string{"the loss is −0.5", "the loss is –0.5", "the loss is — 0.5", "the loss is - 0.5", "the loss is ±0.5", "the loss is -0.5"} {
		c, err := NewText([]string{"loss"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Line(line)
		got := c.Near()
		if got == "" {
			t.Errorf("%s: nothing is said", line)
		}
		_, filter, proposed := strings.Cut(got, "metricsFormat '")
		if !proposed {
			continue
		}
		filter, _, _ = strings.Cut(filter, "'")
		with, err := NewText([]string{"loss"}, []string{filter})
		if err != nil {
			t.Fatal(err)
		}
		if s := with.Line(line); len(s) != 1 || s[0].Text != "-0.5" {
			t.Errorf("%s: the filter %s reads %v, want -0.5", line, filter, s)
		}
	}
}
