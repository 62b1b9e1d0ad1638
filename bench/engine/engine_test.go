package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMeasures takes the quick measurements that need little time and looks whether each came
// through, not at how fast anything is.
func TestMeasures(t *testing.T) {
	bin := t.TempDir()
	// Not as released, but with what the test itself was built from at hand.
	build := exec.Command("go", "build", "-o", bin, "../../cmd/tuned", "../../cmd/trial-agent")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "figures.json")
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"--quick", "--bin", bin, "--only", "disk,gap,agents,curve,faults,restart,exports,size", "--json", file}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Machine machine
		Quick   bool
		Figures []figure
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Machine.Cores < 1 || got.Machine.Kernel == "" || !got.Quick {
		t.Errorf("machine %+v, quick %t: want what it is", got.Machine, got.Quick)
	}
	taken := map[string]bool{}
	for _, f := range got.Figures {
		taken[f.Measurement] = true
		if f.Value <= 0 && f.Figure != growth || f.Unit == "" || f.Case == "" || f.Figure == "" {
			t.Errorf("figure %+v: want a value above 0, and all of it named", f)
		}
		if line := " " + f.Figure; !strings.Contains(stdout.String(), line) {
			t.Errorf("the table has no line %q:\n%s", line, stdout.String())
		}
	}
	for _, name := range []string{"disk", "gap", "agents", "curve", "faults", "restart", "size"} {
		if !taken[name] {
			t.Errorf("no figure of %s", name)
		}
	}
}

func TestRefusesUnknownMeasurement(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--only", "gap,speed"}, &out, &out); err == nil || !strings.Contains(err.Error(), "speed") {
		t.Errorf("error %v, want one that names speed", err)
	}
}

func TestGaps(t *testing.T) {
	for name, tt := range map[string]struct {
		notes    string
		parallel int
		want     []time.Duration // nil: an error
	}{
		"one at a time":            {"10 20\n25 30\n37 40\n", 1, []time.Duration{5, 7}},
		"two at a time, unordered": {"1 30\n0 20\n26 60\n33 70\n", 2, []time.Duration{6, 3}},
		"more than allowed":        {"10 20\n15 30\n", 1, nil},
		"not a note":               {"10 20\n15\n", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{dir: t.TempDir(), parallel: tt.parallel, trials: strings.Count(tt.notes, "\n")}
			if err := os.WriteFile(b.notes(), []byte(tt.notes), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := b.gaps()
			if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
				t.Errorf("gaps %v, error %v; want %v", got, err, tt.want)
			}
			b.trials++
			if _, err := b.gaps(); err == nil {
				t.Error("no error although a trial did not run")
			}
		})
	}
}

// TestGoals: a figure on the wrong side of its goal ends a whole run with an error that names it, and no quick one.
func TestGoals(t *testing.T) {
	const of = "1000 streams, batches of 10"
	for name, tt := range map[string]struct {
		rate, p99 float64
		of        string
		missed    string
	}{
		"both reached":    {15_000, 500, of, ""},
		"too few":         {14_999, 500, of, "1 goals are missed: observations, " + of + ": durable and acknowledged"},
		"too late":        {15_000, 501, of, "1 goals are missed: observations, " + of + ": p99"},
		"of another case": {1, 501, "1000 streams, batches of 100", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{scale: full}
			b.add("observations", tt.of, figure{Figure: "durable and acknowledged", Value: tt.rate}, figure{Figure: "p99", Value: tt.p99})
			if err := b.missed(); (err != nil) != (tt.missed != "") || err != nil && err.Error() != tt.missed {
				t.Errorf("got %v, want %q", err, tt.missed)
			}
			if b.scale = quick; b.missed() != nil {
				t.Errorf("quick: got %v", b.missed())
			}
		})
	}
}

func TestQuantiles(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	for name, tt := range map[string]struct {
		in   []time.Duration
		want [3]float64 // ms
	}{
		"hundred": {hundred, [3]float64{50, 90, 99}},
		"two":     {[]time.Duration{time.Millisecond, 2 * time.Millisecond}, [3]float64{1, 2, 2}},
		"one":     {[]time.Duration{time.Millisecond}, [3]float64{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, f := range quantiles(tt.in) {
				if f.Value != tt.want[i] {
					t.Errorf("%s: got %v, want %v", f.Figure, f.Value, tt.want[i])
				}
			}
		})
	}
}

func TestShort(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "123456": 123456, "12.3": 12.34, "0.0123": 0.01234, "1.00": 1, "-1.50": -1.5} {
		if got := short(v); got != want {
			t.Errorf("short(%v): got %q, want %q", v, got, want)
		}
	}
}
