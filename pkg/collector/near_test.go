package collector

import (
	"fmt"
	"strings"
	"testing"
)

func TestTextNear(t *testing.T) {
	const number = `([+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[nN]a[nN]|inf))`
	tests := []struct {
		name      string
		objective string
		filters   []string
		lines     string // joined by |
		want      string
	}{
		{"found", "val_loss", nil, "validation loss -> 0.43|val_loss=0.4", ""},
		{"nothing like it", "val_loss", nil, "hello 3|world", `metric "val_loss" was not found; lines read: 2`},
		{
			"other words", "val_loss", nil, "epoch 1|validation loss -> 0.43",
			`metric "val_loss" was not found; lines read: 2; line 2 "validation loss -> 0.43" looks close: the metric name "validation loss" with metricsFormat '(validation loss)\s+->\s+` + number + `' would have matched`,
		},
		{
			"the best of several, once", "val_loss", nil, "train loss -> 0.5|validation loss -> 0.43|validation loss -> 0.42",
			`metric "val_loss" was not found; lines read: 3; line 2 "validation loss -> 0.43" looks close: the metric name "validation loss" with metricsFormat '(validation loss)\s+->\s+` + number + `' would have matched`,
		},
		{
			"other mark", "val_loss", nil, "the val_loss is now 0.43.",
			`metric "val_loss" was not found; lines read: 1; line 1 "the val_loss is now 0.43." looks close: metricsFormat '(val_loss)\s+is\s+now\s+` + number + `' would have matched`,
		},
		{"other case", "loss", nil, "Loss: 0.3", `metric "loss" was not found; lines read: 1; line 1 "Loss: 0.3" looks close: the metric name "Loss" would have matched`},
		{"abbreviation", "accuracy", nil, "acc = 0.9", `metric "accuracy" was not found; lines read: 1; line 1 "acc = 0.9" looks close: the metric name "acc" would have matched`},
		{"longer name", "loss", nil, "val_loss: 0.3", `metric "loss" was not found; lines read: 1; line 1 "val_loss: 0.3" looks close: the metric name "val_loss" would have matched`},
		{"no number", "loss", nil, "loss=0x10", `metric "loss" was not found; lines read: 1; line 1 "loss=0x10" has the name, but no number that can be read`},
		{
			"a fraction, in other letters", "accuracy", nil, "Average loss: 0.0442, Accuracy: 9842/10000 (98%)",
			`metric "accuracy" was not found; lines read: 1; line 1 "Average loss: 0.0442, Accuracy: 9842/10000 (98%)" has the name, but no number that can be read`,
		},
		{"table", "test_acc", nil, "¦  test_acc  ¦  0.98  ¦", `metric "test_acc" was not found; lines read: 1; line 1 "¦  test_acc  ¦  0.98  ¦" looks close: metricsFormat '(test_acc)\s+¦\s+` + number + `' would have matched`},
		{
			"filters that do not fit", "loss",
			[]string{`(loss) -> (\d+)`, "(it's) (x)"},
			"loss=0.3",
			`metric "loss" was not found; lines read: 1; metricsFormat '(loss) -> (\d+)' never matched a wanted metric; metricsFormat '(it''s) (x)' never matched a wanted metric; line 1 "loss=0.3" would have been read without metricsFormat`,
		},
		{"in colour", "loss", nil, "\x1b[1mloss\x1b[0m -> 3", `metric "loss" was not found; lines read: 1; line 1 "loss -> 3" looks close: metricsFormat '(loss)\s+->\s+` + number + `' would have matched`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewText([]string{tt.objective}, tt.filters)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(tt.lines, "|") {
				c.Line(line)
			}
			if got := c.Near(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTextNearStaysBounded(t *testing.T) {
	c, _ := NewText([]string{"val_loss"}, nil)
	for i := range 5000 {
		c.Line(fmt.Sprintf("%s %s loss -> 0.%d %s", strings.Repeat("x", i%50), strings.Repeat("y", i%70), i, strings.Repeat("z", 5000)))
	}
	if n := len(c.near.best); n > nearKept {
		t.Errorf("got %d candidates, want at most %d", n, nearKept)
	}
	for _, b := range c.near.best {
		if len(b.text) > nearLine {
			t.Errorf("got a line of %d bytes kept, want at most %d", len(b.text), nearLine)
		}
	}
	if n := len(c.Near()); n > 4096 {
		t.Errorf("got a report of %d bytes", n)
	}
}
