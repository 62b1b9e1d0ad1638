package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Table is rows of text under a title.
type Table struct {
	Title  string
	Note   string // "" for none
	Header []string
	Rows   [][]string
	Left   bool // all columns to the left, for text
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Plain writes the table in columns: the first one to the left, numbers to the right.
func (t *Table) Plain(w io.Writer) {
	fmt.Fprintf(w, "%s\n", t.Title)
	if t.Note != "" {
		fmt.Fprintf(w, "%s\n", t.Note)
	}
	widths := make([]int, len(t.Header))
	all := append([][]string{t.Header}, t.Rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range all {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 || t.Left {
				b.WriteString("  " + cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	fmt.Fprintln(w)
}

// Markdown writes the table as Markdown, without a heading if it has no title.
func (t *Table) Markdown(w io.Writer) {
	if t.Title != "" {
		fmt.Fprintf(w, "### %s\n\n", t.Title)
	}
	if t.Note != "" {
		fmt.Fprintf(w, "%s\n\n", t.Note)
	}
	line := func(cells []string) {
		escaped := make([]string, len(cells))
		for i, c := range cells {
			escaped[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(escaped, " | "))
	}
	line(t.Header)
	column := "|--:"
	if t.Left {
		column = "|---"
	}
	fmt.Fprintf(w, "|---%s|\n", strings.Repeat(column, len(t.Header)-1))
	for _, row := range t.Rows {
		line(row)
	}
	fmt.Fprintln(w)
}

// Plain writes the report as text for a terminal.
func (r *Report) Plain(w io.Writer) {
	fmt.Fprintf(w, "%s, %s\n\n", r.Made, r.Machine)
	for _, t := range r.tables() {
		t.Plain(w)
	}
	r.notes(w, "  ")
}

// Markdown writes the report as Markdown, with the plots that Plots makes.
func (r *Report) Markdown(w io.Writer) {
	fmt.Fprintf(w, "# Optimizers side by side\n\n%s, %s\n\n", r.Made, r.Machine)
	for _, s := range r.Sections {
		for _, t := range s.tables() {
			t.Markdown(w)
		}
		for _, kind := range plotKinds {
			fmt.Fprintf(w, "![%s](%s)\n", kind, plotName(s.Suite, s.Workers, kind))
		}
		fmt.Fprintln(w)
	}
	if t := r.asyncTable(); t != nil {
		t.Markdown(w)
	}
	r.notes(w, "- ")
}

func (r *Report) tables() []*Table {
	var out []*Table
	for _, s := range r.Sections {
		out = append(out, s.tables()...)
	}
	if t := r.asyncTable(); t != nil {
		out = append(out, t)
	}
	return out
}

func (s Section) title() string {
	if s.Workers > 1 {
		return fmt.Sprintf("%s, %d workers", s.Suite, s.Workers)
	}
	return s.Suite
}

func (s Section) tables() []*Table {
	out := []*Table{s.scoreTable(), s.pairTable()}
	if len(s.Volumes) > 0 {
		out = append(out, s.volumeTable())
	}
	return out
}

func (s Section) scoreTable() *Table {
	t := &Table{
		Title:  fmt.Sprintf("%s: %d runs of N = %d trials", s.title(), s.Runs, s.Budget),
		Note:   "Figures after N/4, N/2 and N trials. Rank: mean among those with all runs. Of random: regret as a part of random search's, at most 2. Targets: share reached.",
		Header: []string{"optimizer", "runs now+kept", "log10 regret", "rank", "of random", "area", "targets", "duplicates", "CPU ms p50", "p95"},
	}
	for _, c := range s.Scores {
		if c.Now+c.Kept == 0 {
			t.Add(c.Optimizer, "unsupported", "-", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		t.Add(c.Optimizer, fmt.Sprintf("%d+%d", c.Now, c.Kept), three(c.LogRegret, 2), three(c.Rank, 1), three(c.Normalized, 3), decimals(c.Area, 3),
			three(c.Reached, 2), decimals(c.Duplicates, 1), decimals(c.CPU50*1000, 2), decimals(c.CPU95*1000, 2))
	}
	return t
}

func (s Section) pairTable() *Table {
	t := &Table{
		Title:  s.title() + ": ours less peer, in powers of ten of regret",
		Note:   "Mean with the 95 % interval of a bootstrap over clusters of problems; below 0 ours is better. Win: share of runs won less share lost.",
		Header: []string{"ours - peer", "pairs/clusters", "N/4", "N/2", "N", "win"},
	}
	for _, p := range s.Pairs {
		t.Add(p.Ours+" - "+p.Peer, fmt.Sprintf("%d/%d", p.Runs, p.Clusters), p.Difference[0].String(), p.Difference[1].String(), p.Difference[2].String(), three(p.WinMinusLoss, 2))
	}
	return t
}

func (r *Report) asyncTable() *Table {
	if len(r.Async) == 0 {
		return nil
	}
	t := &Table{
		Title:  "Several workers against one, the same optimizer after N trials",
		Note:   "Regret in powers of ten with the 95 % interval. Pending: points suggested while they were being evaluated. Faster: simulated time.",
		Header: []string{"optimizer", "suite", "workers", "runs", "regret", "pending", "faster"},
	}
	for _, a := range r.Async {
		t.Add(a.Optimizer, a.Suite, fmt.Sprint(a.Workers), fmt.Sprint(a.Runs), a.Difference.String(), fmt.Sprint(a.Pending), decimals(a.Faster, 2)+"x")
	}
	return t
}

// notes writes which versions the figures are of, and what could not be run.
func (r *Report) notes(w io.Writer, bullet string) {
	var names []string
	versions := make(map[string][]string)
	for _, s := range r.Sections {
		for _, c := range s.Scores {
			if versions[c.Optimizer] == nil && len(c.Versions) > 0 {
				names = append(names, c.Optimizer)
			}
			versions[c.Optimizer] = append(versions[c.Optimizer], c.Versions...)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(versions[name])
		fmt.Fprintf(w, "%s%s: %s\n", bullet, name, strings.Join(slices.Compact(versions[name]), "; "))
	}
	for _, s := range r.Sections {
		for _, c := range s.Scores {
			if c.Unsupported > 0 {
				fmt.Fprintf(w, "%s%s on %s, %d runs: %s\n", bullet, c.Optimizer, s.title(), c.Unsupported, c.Reason)
			}
		}
	}
	for _, f := range r.Failures {
		if f.Problem == "" {
			fmt.Fprintf(w, "%s%s: %s\n", bullet, f.Optimizer, f.Error)
			continue
		}
		fmt.Fprintf(w, "%s%s on %s, seed %d, failed: %s\n", bullet, f.Optimizer, f.Problem, f.Seed, f.Error)
	}
}

// String writes an interval as "-0.31 [-0.50, -0.12]".
func (i Interval) String() string {
	return fmt.Sprintf("%s [%s, %s]", signed(i.Mean), signed(i.Low), signed(i.High))
}

func signed(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 0):
		return "?"
	}
	return fmt.Sprintf("%+.2f", v)
}

func decimals(f Figure, n int) string {
	if math.IsNaN(float64(f)) {
		return "-"
	}
	return fmt.Sprintf("%.*f", n, float64(f))
}

// three writes the figures at the checkpoints.
func three(c Checkpoints, n int) string {
	if math.IsNaN(float64(c[2])) {
		return "-"
	}
	return decimals(c[0], n) + " / " + decimals(c[1], n) + " / " + decimals(c[2], n)
}
