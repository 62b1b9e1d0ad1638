package collector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// values writes samples as "metric=text" joined by spaces.
func values(samples []Sample) string {
	var out []string
	for _, s := range samples {
		out = append(out, s.Metric+"="+s.Text)
	}
	return strings.Join(out, " ")
}

var textLines = []struct {
	name    string
	metrics string // joined by ;
	line    string
	want    string
}{
	{"name=value", "loss", "loss=0.3", "loss=0.3"},
	{"blanks around =", "val_loss", "epoch 1 val_loss = 0.3 done", "val_loss=0.3"},
	{"exponent and sign", "loss", "loss=-1.5E-03", "loss=-1.5E-03"},
	{"no digit before the point", "loss", "loss=.5", "loss=.5"},
	{"end of a sentence", "loss", "The loss=5.", "loss=5"},
	{"numpy style exponent", "loss", "loss: 1.e-05", "loss=1.e-05"},
	{"nan", "loss", "loss=nan", "loss=nan"},
	{"infinity", "a;b;c", "a=inf, b: -Infinity c=+Inf", "a=inf b=-Infinity c=+Inf"},
	{"a word that starts with nan", "loss", "loss=nanny loss: info", ""},
	{"colon", "loss", "Loss step loss: 0.25", "loss=0.25"},
	{"colon without blank", "loss", "loss:0.25", "loss=0.25"},
	{"blank before colon", "loss", "loss   :  0.25", "loss=0.25"},
	{
		"katib example", "Validation-accuracy;Train-accuracy", "2018-11-30T10:00:00Z INFO Epoch[0] Train-accuracy=0.92 Validation-accuracy=0.94",
		"Train-accuracy=0.92 Validation-accuracy=0.94",
	},
	{"keras", "val_loss;loss", "12/12 [==============================] - 1s 3ms/step - loss: 0.30 - val_loss: 0.2821", "loss=0.30 val_loss=0.2821"},
	{"keras 3 in colour", "loss", "\x1b[1m12/12\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m1s\x1b[0m 3ms/step - accuracy: 0.9 - \x1b[1mloss\x1b[0m: \x1b[31m0.3\x1b[0m", "loss=0.3"},
	{"lightning", "val_loss;train_loss", "Epoch 3: 100%|███████| 40/40 [00:01<00:00, 39.2it/s, v_num=0, val_loss=0.31, train_loss=0.28]", "val_loss=0.31 train_loss=0.28"},
	{"huggingface", "eval_loss", "{'eval_loss': 0.43, 'eval_runtime': 0.5, 'epoch': 1.0}", "eval_loss=0.43"},
	{"huggingface, quoted numbers", "eval_loss", "{'eval_loss': '0.43', 'epoch': '1'}", "eval_loss=0.43"},
	{"numpy scalar", "eval_loss", "{'eval_loss': np.float64(0.43)}", "eval_loss=0.43"},
	{"torch scalar", "loss", "loss: tensor(0.3012, device='cuda:0')", "loss=0.3012"},
	{"double quotes", "eval_loss", `{"eval_loss": 0.43, 'x': 1}`, "eval_loss=0.43"},
	{"json number and string", "loss;acc", `{"acc": "0.9", "loss": 0.43}`, "loss=0.43 acc=0.9"},
	{"json with a message only", "loss", `{"level":"info","msg":"step 3 loss=0.43"}`, "loss=0.43"},
	{"lightgbm", "binary_logloss", "[10]\tvalid_0's binary_logloss: 0.31\tvalid_0's auc: 0.9", "binary_logloss=0.31"},
	{"lightgbm with the set's name", "valid_1 auc;valid_1's auc", "[10]\tvalid_0's auc: 0.31\tvalid_1's auc: 0.9", "valid_1 auc=0.9"},
	{"xgboost", "validation-logloss", "[0]\ttrain-logloss:0.6\tvalidation-logloss:0.51", "validation-logloss=0.51"},
	{"xgboost part of a name", "logloss", "[0]\ttrain-logloss:0.6", ""},
	{"table of Lightning", "val_loss", "│        val_loss         │    0.034430008381605150    │", "val_loss=0.034430008381605150"},
	{"table with several cells", "val_loss;acc", "| val_loss | 1 | acc | nan |", "val_loss=1 acc=nan"},
	{"table, not a value", "val_loss", "│ val_loss │ train_loss │ 0.3 │", ""},
	{"bar without a table", "loss", "loss | 3 is much", ""},
	{"percent", "accuracy", "accuracy: 98.5%, next", "accuracy=98.5"},
	{"percent with blank", "accuracy", "accuracy = 98.5 %", "accuracy=98.5"},
	{"pytorch tutorial", "Accuracy;Avg loss", " Accuracy: 98.5%, Avg loss: 0.031 ", "Accuracy=98.5 Avg loss=0.031"},
	{"leading word", "accuracy", "Test accuracy: 0.9912", "accuracy=0.9912"},
	{"leading word wanted", "Test accuracy", "Test accuracy: 0.9912", "Test accuracy=0.9912"},
	{"longest name wins", "accuracy;Test accuracy", "Test accuracy: 0.9912", "Test accuracy=0.9912"},
	{"part of a longer name", "loss", "val_loss: 0.3, val-loss: 0.3, val/loss: 0.3, val.loss: 0.3, loss_val: 0.3, losses=0.3", ""},
	{"after a slash as Katib's filter", "loss", "val/loss=0.3", "loss=0.3"},
	{"slash wanted", "eval/loss;loss", "eval/loss=0.3 loss=0.4", "eval/loss=0.3 loss=0.4"},
	{"dot wanted", "val.loss", "val.loss: 0.3", "val.loss=0.3"},
	{"name that is a pattern", "loss(x)", "loss(x): 0.3 lossx: 0.4", "loss(x)=0.3"},
	{"no mark, at the start", "loss", "loss 0.3 acc 0.9", "loss=0.3"},
	{"no mark, after a number", "loss;acc", "Epoch 3 loss 0.3 acc 0.9", "loss=0.3 acc=0.9"},
	{"no mark, whole number", "loss", "loss 3 times", ""},
	{"no mark, talk", "accuracy", "stop at target accuracy 0.95", ""},
	{"classification report", "accuracy", "    accuracy                           0.97       360", "accuracy=0.97"},
	{"checkpoint talk", "val_loss", "Epoch 1: val_loss improved from inf to 0.43, saving model", ""},
	{"several in one line", "loss", "loss=1 loss=2", "loss=1 loss=2"},
	{"progress", "loss", "1/3 loss: 0.9\r2/3 loss: 0.8\r3/3 loss: 0.7", "loss=0.9 loss=0.8 loss=0.7"},
	{"fraction", "accuracy", "Accuracy: 9890/10000, accuracy: 9890/10000", ""},
	{"clock", "time", "time: 12:30", ""},
	{"ordinal", "loss", "loss: 5th", ""},
	{"unit after =, as Katib's filter", "time", "time=0.3s", "time=0.3"},
	{"overflow", "loss", "loss=1e400", "loss=1e400"},
	{"hexadecimal", "loss", "loss=0x10 loss: 0x10", ""},
	{"underscore", "loss", "loss=1_000", ""},
	{"two points", "loss", "loss=1.2.3", ""},
	{"thousands", "loss", "loss=1,000 loss: 1,234.5", ""},
	{"decimal comma", "loss", "loss=0,5 loss: -0,5", ""},
	{"binary", "loss", "loss=0b10", ""},
	{"list of numbers", "loss", "loss=0.1,100", "loss=0.1"},
	{"sign alone", "loss", "loss=- loss=+ loss=. loss=e5", ""},
	{"empty", "loss", "loss= loss: loss", ""},
	{"comparison", "loss", "loss==3 loss=>3", ""},
	{"NUL and invalid UTF-8", "loss", "\x00\xff\xfeloss\x00=1 \xffloss=0.5\xff\x00", "loss=0.5"},
	{"binary name", "loss", "\x80\x81loss: 0.5\x00", "loss=0.5"},
	{"unfinished escape", "loss", "\x1b[loss=0.5 \x1b", ""},
}

func TestTextFindsWhatTrainingProgramsPrint(t *testing.T) {
	for _, tt := range textLines {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewText(strings.Split(tt.metrics, ";"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := values(c.Line(tt.line)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Each line of docs/metrics.md that promises a result keeps it.
func TestTextFindsWhatTheGuideSays(t *testing.T) {
	guide, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for row := range strings.SplitSeq(string(guide), "\n") {
		line, want, ok := strings.Cut(row, "⇒")
		if !ok {
			continue
		}
		examples++
		var metrics []string
		for _, m := range strings.Fields(want) {
			name, _, _ := strings.Cut(m, "=")
			metrics = append(metrics, name)
		}
		c, err := NewText(metrics, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := values(c.Line(strings.TrimSpace(line))), strings.TrimSpace(want); got != want {
			t.Errorf("line %q: got %q, want %q", line, got, want)
		}
	}
	if examples == 0 {
		t.Error("got no example")
	}
}

func TestTextReadsOnlyTheStartOfALongLine(t *testing.T) {
	c, _ := NewText([]string{"loss"}, nil)
	line := "loss=1 " + strings.Repeat("x", 1<<20) + " loss=2"
	if got := values(c.Line(line)); got != "loss=1" {
		t.Errorf("got %q, want the value in the first 64 KiB only", got)
	}
	if n := len(c.near.best); n > nearKept {
		t.Errorf("got %d candidates kept, want at most %d", n, nearKept)
	}
}

func TestTextTime(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	time.Local = time.FixedZone("here", 2*3600)
	tests := []struct{ name, line, want string }{
		{"RFC 3339", "2024-03-04T17:55:08Z loss=1", "2024-03-04T17:55:08Z"},
		{"nanoseconds and zone", "2024-03-04T17:55:08.123456789+01:00 loss=1", "2024-03-04T16:55:08.123456789Z"},
		{"in brackets", "[2024-03-04T17:55:08Z] loss=1", "2024-03-04T17:55:08Z"},
		{"python logging", "2026-01-01 12:00:00,123 - INFO - loss=1", "2026-01-01T10:00:00.123Z"},
		{"python logging in brackets", "[2026-01-01 12:00:00,123] loss=1", "2026-01-01T10:00:00.123Z"},
		{"no zone", "2026-01-01T12:00:00 loss=1", "2026-01-01T10:00:00Z"},
		{"no zone, fraction", "2026-01-01T12:00:00.5: loss=1", "2026-01-01T10:00:00.5Z"},
		{"zone in another form", "2026-01-01T12:00:00+0200 loss=1", ""},
		{"date alone", "2026-01-01 loss=1", ""},
		{"clock alone", "12:00:00 loss=1", ""},
		{"no such day", "2026-02-31 12:00:00 loss=1", ""},
		{"later in the line", "at 2024-03-04T17:55:08Z loss=1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := NewText([]string{"loss"}, nil)
			samples := c.Line(tt.line)
			if len(samples) != 1 {
				t.Fatalf("got %d samples, want 1", len(samples))
			}
			got := ""
			if !samples[0].Time.IsZero() {
				got = samples[0].Time.UTC().Format(time.RFC3339Nano)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTextStep(t *testing.T) {
	tests := []struct {
		name  string
		lines string // joined by |
		want  int64
	}{
		{"none", "loss=1", 0},
		{"epoch", "epoch 3 loss=1", 3},
		{"epoch of", "Epoch 3/10, loss=1", 3},
		{"epoch in brackets", "Epoch [3/10], loss=1", 3},
		{"step before epoch", "Epoch [3/10], Step [100/600], loss=1", 100},
		{"step=", "loss=1 step=12", 12},
		{"lightning", "Epoch 3: 100% 40/40 [00:01<00:00, loss=0.31]", 3},
		{"huggingface", "{'loss': 0.43, 'epoch': 2.0}", 2},
		{"fraction of an epoch", "{'loss': 0.43, 'epoch': 0.25}", 0},
		{"json", `{"loss": 0.43, "global_step": "7", "epoch": 1}`, 7},
		{"lightgbm", "[10]\tvalid loss: 0.31", 10},
		{"speed is no step", "12/12 - 1s 3ms/step - loss: 0.30", 0},
		{"keras", "Epoch 4/10|12/12 - 1s 3ms/step - loss: 0.30", 4},
		{"keras, next epoch", "Epoch 4/10|loss: 0.5|Epoch 5/10|12/12 - loss: 0.30", 5},
		{"pytorch tutorial", "Epoch 2|-------------------------------|loss: 0.30", 2},
		{"own step wins", "Epoch 4/10|step 9 loss: 0.30", 9},
		{"too large", "step 99999999999999999999 loss=1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := NewText([]string{"loss"}, nil)
			var samples []Sample
			for line := range strings.SplitSeq(tt.lines, "|") {
				samples = append(samples, c.Line(line)...)
			}
			if len(samples) == 0 {
				t.Fatal("got no sample")
			}
			if got := samples[len(samples)-1].Step; got != tt.want {
				t.Errorf("got step %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTextCustomFilters(t *testing.T) {
	tests := []struct {
		name    string
		filters []string
		line    string
		want    string
	}{
		{"Katib's own", []string{katibFilter}, "loss=0.3, acc = 5.", "loss=0.3 acc=5"},
		{"Katib's own takes nan", []string{katibFilter}, "loss=nan acc=-inf", "loss=nan acc=-inf"},
		{"only what the filter says", []string{katibFilter}, "loss: 0.3", ""},
		{"semicolon inside", []string{`(\w+);(\d+)`}, "loss;3", "loss=3"},
		{"name with a blank", []string{`(my loss) -> (\S+)`}, "my loss -> 0.3", "my loss=0.3"},
		{"two filters, in their order", []string{`(acc)=(\d+)`, `(loss)=(\d+)`}, "loss=1 acc=2", "acc=2 loss=1"},
		{"group not taken", []string{`(loss)(?:=(\d+))?`}, "loss loss=2", "loss=2"},
		{"invalid UTF-8", []string{`(loss)=(.*)`}, "loss=\xff", "loss=\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewText([]string{"loss", "acc", "my loss"}, tt.filters)
			if err != nil {
				t.Fatal(err)
			}
			if got := values(c.Line(tt.line)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNewTextRefuses(t *testing.T) {
	tests := []struct {
		name             string
		metrics, filters []string
		want             string
	}{
		{"no metric", nil, nil, "no metric is wanted"},
		{"empty name", []string{"a", ""}, nil, "metrics[1]: the name is empty"},
		{"bad pattern", []string{"a"}, []string{"(a)=(b)", "("}, "metricsFormat[1]: error parsing regexp"},
		{"one group", []string{"a"}, []string{"(a)=b"}, `metricsFormat[0]: "(a)=b" needs two groups`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewText(tt.metrics, tt.filters)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// What Katib's default filter finds on lines made of ordinary parts, the built-in recognition finds
// too, in the same order.
func TestTextFindsWhatKatibFinds(t *testing.T) {
	metrics := []string{"loss", "val_loss", "Validation-accuracy"}
	names := append([]string{"x", "train/loss", "val.loss", "_loss", "loss|", "|loss", "a loss"}, metrics...)
	marks := []string{"=", " = ", "=\t", " =", ":", " "}
	numbers := []string{"0.3", "-1", "+2.5e-3", ".5", "5.", "1E5", "7s", "3/4", "2-1", "1:2", "", "-", "text", "9)"}
	between := []string{" ", ", ", "; ", "\t", " | ", "(", " - ", "}{", "\"", "'"}
	pattern := regexp.MustCompile(katibFilter)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	for range 20000 {
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			b.WriteString(pick(names) + pick(marks) + pick(numbers) + pick(between))
		}
		line := b.String()
		var want []string
		for _, m := range pattern.FindAllStringSubmatch(line, -1) {
			if slices.Contains(metrics, m[1]) && isNumber(m[2]) {
				want = append(want, m[1]+"="+m[2])
			}
		}
		c, _ := NewText(metrics, nil)
		got := values(c.Line(line))
		if !isSubsequence(want, strings.Fields(got)) {
			t.Fatalf("line %q: got %q, want also %q", line, got, want)
		}
	}
}

func isSubsequence(some, all []string) bool {
	for _, s := range all {
		if len(some) > 0 && s == some[0] {
			some = some[1:]
		}
	}
	return len(some) == 0
}

func TestTextKeepsOrderAndStepOfAWholeSample(t *testing.T) {
	c, _ := NewText([]string{"loss", "acc"}, nil)
	got := c.Line("2024-03-04T17:55:08Z step 3: acc=0.9 loss=0.1")
	at := time.Date(2024, 3, 4, 17, 55, 8, 0, time.UTC)
	want := []Sample{{"acc", "0.9", at, 3}, {"loss", "0.1", at, 3}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
}

func TestTextAllocatesNothingForOtherLines(t *testing.T) {
	c, _ := NewText([]string{"val_loss"}, nil)
	for _, line := range []string{"Downloading 12% of 3 files", "Epochs are done 7", "lossy close 3", strings.Repeat("xyz 1 ", 500)} {
		c.Line(line) // may become a candidate for Near
		if got := testing.AllocsPerRun(100, func() { c.Line(line) }); got != 0 {
			t.Errorf("line %.30q: got %v allocations, want 0", line, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("loss=0.3 val/loss: 5%\r{'loss': tensor(1.e-5)}")
	f.Add("\x1b[1mloss\x1b[0m: 0x10 [3]\tvalid_1's auc: nan")
	f.Add("Epoch 3/10")
	f.Add(`{"loss": NaN, "step": 3}`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, filters := range [][]string{nil, {katibFilter}} {
			c, _ := NewText([]string{"loss", "valid_1 auc"}, filters)
			for _, s := range c.Line(line) {
				if !isNumber(s.Text) && filters == nil {
					t.Errorf("line %q: got the value %q, want a number", line, s.Text)
				}
				if s.Step < 0 || s.Metric != "loss" && s.Metric != "valid_1 auc" {
					t.Errorf("line %q: got %+v", line, s)
				}
			}
			if report := c.Near(); len(report) > 8*1024 {
				t.Errorf("line %q: got a report of %d bytes", line, len(report))
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	lines := []struct{ name, line string }{
		{"other", "2026-01-01 12:00:00,123 INFO Downloading shard 12 of 40 to /data/train (3.2 MB/s)"},
		{"keras", "12/12 [==============================] - 1s 3ms/step - loss: 0.30 - val_loss: 0.2821"},
		{"json", `{"step": 10, "val_loss": 0.43, "timestamp": 1638422847.28}`},
	}
	for _, l := range lines {
		for _, found := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/objective-found=%t", l.name, found), func(b *testing.B) {
				c, _ := NewText([]string{"val_loss", "loss"}, nil)
				if found {
					c.Line("val_loss=1")
				}
				b.SetBytes(int64(len(l.line)))
				b.ReportAllocs()
				for b.Loop() {
					c.Line(l.line)
				}
			})
		}
	}
}
