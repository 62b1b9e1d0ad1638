package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one number of the table.
type figure struct {
	Measurement string  `json:"measurement"`
	Case        string  `json:"case"`
	Figure      string  `json:"figure"`
	Value       float64 `json:"value"`
	Unit        string  `json:"unit"`
}

// add adds figures of one case: their names, values and units in turn.
func (b *bench) add(measurement, of string, figures ...figure) {
	for _, f := range figures {
		f.Measurement, f.Case = measurement, of
		b.figures = append(b.figures, f)
	}
}

func milliseconds(name string, d time.Duration) figure {
	return figure{Figure: name, Value: d.Seconds() * 1e3, Unit: "ms"}
}

func seconds(name string, d time.Duration) figure {
	return figure{Figure: name, Value: d.Seconds(), Unit: "s"}
}

func mebibytes(name string, bytes int64) figure {
	return figure{Figure: name, Value: float64(bytes) / (1 << 20), Unit: "MiB"}
}

// quantiles returns p50, p90 and p99 of at least one duration, by nearest rank.
func quantiles(ds []time.Duration) []figure {
	slices.Sort(ds)
	var out []figure
	for _, p := range []int{50, 90, 99} {
		rank := (len(ds)*p + 99) / 100 // counts from 1
		out = append(out, milliseconds("p"+strconv.Itoa(p), ds[rank-1]))
	}
	return out
}

// machine is where the figures come from.
type machine struct {
	Date   string `json:"date"`
	Go     string `json:"go"`
	System string `json:"system"`
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Load   string `json:"load"` // average of 1, 5 and 15 minutes before the run
}

func thisMachine() (machine, error) {
	var text [3]string
	for i, file := range []string{"sys/kernel/osrelease", "loadavg", "cpuinfo"} {
		content, err := os.ReadFile("/proc/" + file)
		if err != nil {
			return machine{}, fmt.Errorf("look at the machine: %w", err)
		}
		text[i] = strings.TrimSpace(string(content))
	}
	m := machine{
		Date: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Kernel: text[0],
		Load: strings.Join(strings.Fields(text[1])[:3], " "),
	}
	for line := range strings.Lines(text[2]) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m, nil
}

// report prints the table and writes the JSON file, if one is wanted.
func (b *bench) report(w io.Writer, file string) error {
	m := b.machine
	if file != "" {
		text, err := json.MarshalIndent(struct {
			Machine machine  `json:"machine"`
			Quick   bool     `json:"quick"`
			Figures []figure `json:"figures"`
		}{m, b.scale == quick, b.figures}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s, %s, %s, kernel %s, %d cores (%s), load average before %s\n",
		m.Date, m.Go, m.System, m.Kernel, m.Cores, m.CPU, m.Load)
	if b.scale == quick {
		fmt.Fprintln(&text, "quick: too little was measured for the figures to mean much")
	}
	if err := b.table(&text); err != nil {
		return err
	}
	_, err := w.Write(text.Bytes())
	return err
}

// table writes a line per figure, with its goal where it has one. What a line has in common with the one above is left blank.
func (b *bench) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nMEASUREMENT\tCASE\tFIGURE\tVALUE\tUNIT\tGOAL")
	var above figure
	for _, f := range b.figures {
		measurement, of := f.Measurement, f.Case
		if measurement == above.Measurement {
			measurement = ""
			if of == above.Case {
				of = ""
			}
		}
		above = f
		words := ""
		if b.scale != quick {
			words, _ = bound(f)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%8s\t%s\t%s\n", measurement, of, f.Figure, short(f.Value), f.Unit, words)
	}
	return t.Flush()
}

// short writes a number with three significant digits, and never less than its whole part.
func short(v float64) string {
	decimals := 0
	if v != 0 {
		decimals = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
