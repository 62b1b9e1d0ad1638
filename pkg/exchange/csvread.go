package exchange

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// table is a CSV as text, each cell with its place.
type table struct {
	*Options
	header []string
	rows   [][]string
	lines  []int    // on which the rows begin
	use    []string // what each column stands for: "number", "params.lr", "metrics.loss"; "" is nothing
	faults experiment.Faults

	decimalComma bool // numbers may be written 0,5: cells are separated by something else

	numbers map[uint64]int // of the trials, and the lines on which they are
}

func (c *table) fault(row int, column, format string, args ...any) {
	f := experiment.Fault{Path: column, Type: experiment.Invalid, Detail: fmt.Sprintf(format, args...), Line: 1, Column: 1}
	if row >= 0 {
		f.Line = c.lines[row]
	}
	if k := slices.Index(c.header, column); k >= 0 {
		f.Column = k + 1
	}
	c.faults = append(c.faults, f)
}

// readCSV reads a table with a row per trial: ours, or one whose columns Options describe.
func readCSV(r io.Reader, o *Options) (*Study, error) {
	c := &table{Options: o, numbers: map[uint64]int{}}
	if err := c.read(r); err != nil {
		return nil, fmt.Errorf("read %s: %w", o.File, err)
	}
	s := &Study{Experiment: &experiment.Experiment{}}
	rows := len(c.faults)
	c.assign()
	if c.decimalComma {
		c.point()
	}
	if spec := c.spec(); len(c.faults) == rows { // else cells have no meaning
		s.Experiment.Spec = *spec
		s.Trials = c.trials(spec)
	}
	if err := c.refusal(); err != nil {
		return nil, err
	}
	if c.Spec == nil {
		s.Notes = guesses(s.Experiment.Spec.Parameters)
	}
	for k, title := range c.header {
		if c.use[k] == "" && !derived(title) && !c.empty(k) {
			s.Notes = append(s.Notes, fmt.Sprintf("column %q stands for nothing and is left out", title))
		}
	}
	if renumber(s.Trials) {
		s.Notes = append(s.Notes, "the numbers of the trials have gaps: they are numbered anew")
	}
	return s, nil
}

// empty reports whether a column has no cell with anything in it.
func (c *table) empty(k int) bool {
	return len(c.rows) > 0 && !slices.ContainsFunc(c.rows, func(row []string) bool { return row[k] != "" })
}

// open looks what stands between cells: spreadsheets write ; and tabs for commas in some countries.
func (c *table) open(r io.Reader) *csv.Reader {
	in := bufio.NewReader(r)
	if bom, _ := in.Peek(3); string(bom) == "\uFEFF" {
		_, _ = in.Discard(3) // they are there
	}
	head, _ := in.Peek(4096) // as much as there is
	first, _, _ := strings.Cut(string(head), "\n")
	reader := csv.NewReader(in)
	for _, comma := range ";\t" {
		if !strings.Contains(first, ",") && strings.ContainsRune(first, comma) {
			reader.Comma = comma
			c.decimalComma = comma == ';'
		}
	}
	return reader
}

// read takes the text apart.
func (c *table) read(r io.Reader) error {
	reader := c.open(r)
	var err error
	if c.header, err = reader.Read(); errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	} else if err != nil {
		return err
	}
	if !c.text(reader, c.header) {
		return c.refusal()
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			if len(c.rows)+len(c.faults) == 0 && c.Spec == nil {
				return errors.New("it has no rows below its titles, of which parameters could be learnt; --spec gives the experiment")
			}
			return nil
		}
		if err != nil && !errors.Is(err, csv.ErrFieldCount) {
			return err
		}
		line, _ := reader.FieldPos(0)
		if err != nil {
			c.faults = append(c.faults, experiment.Fault{Line: line, Column: 1, Detail: fmt.Sprintf("want %d cells, got %d", len(c.header), len(row))})
			continue
		}
		if !c.text(reader, row) {
			continue
		}
		for k := range row {
			row[k] = plain(row[k])
		}
		c.rows, c.lines = append(c.rows, row), append(c.lines, line)
	}
}

// text reports whether the row that was read last is text, and says of its first cell that is not where it is.
func (c *table) text(in *csv.Reader, row []string) bool {
	k := slices.IndexFunc(row, func(cell string) bool { return !utf8.ValidString(cell) })
	if k < 0 {
		return true
	}
	rest := row[k]
	for r, size := utf8.DecodeRuneInString(rest); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRuneInString(rest) {
		rest = rest[size:]
	}
	line, _ := in.FieldPos(k)
	c.faults = append(c.faults, experiment.Fault{
		Type: experiment.Invalid, Line: line, Column: k + 1, Detail: fmt.Sprintf("byte 0x%02x is no UTF-8 text; save the file as UTF-8", rest[0]),
	})
	return false
}

// refusal are the faults that were found; nil for none.
func (c *table) refusal() error {
	if len(c.faults) == 0 {
		return nil
	}
	for i := range c.faults {
		c.faults[i].File = c.File
	}
	return limited(c.faults)
}

// commaNumber is a number with a comma before its decimals.
var commaNumber = regexp.MustCompile(`^[-+]?\d+,\d+([eE][-+]?\d+)?$`)

// point writes the numbers of parameters and metrics with a point before their decimals. Categories stay as they are.
func (c *table) point() {
	for k, use := range c.use {
		name, parameter := strings.CutPrefix(use, parameterPrefix)
		if !parameter && !strings.HasPrefix(use, metricPrefix) || parameter && c.category(name) {
			continue
		}
		for _, row := range c.rows {
			if text := strings.TrimSpace(row[k]); commaNumber.MatchString(text) {
				row[k] = strings.Replace(text, ",", ".", 1)
			}
		}
	}
}

// category reports whether the given spec has a categorical parameter of a name.
func (c *table) category(name string) bool {
	return c.Spec != nil && slices.ContainsFunc(c.Spec.Parameters, func(p experiment.ParameterSpec) bool {
		return p.Name == name && p.ParameterType == "categorical"
	})
}

// derived reports whether a column of ours is left out without a word: what follows from others, names of another
// experiment's trials, and how its algorithm came to them.
func derived(title string) bool {
	return slices.Contains([]string{"name", "seconds", "feasible", "front", "best", "parent", "algorithm"}, title)
}

// readable are the columns of ours that are read, but for parameters and metrics.
var readable = []string{"number", "state", "reason", "message", "created", "started", "finished"}

// aliases are what Optuna's trials_dataframe calls columns.
var aliases = map[string]string{"datetime_start": "started", "datetime_complete": "finished"}

// assign decides what each column stands for.
func (c *table) assign() {
	c.use = make([]string, len(c.header))
	for title := range c.Columns {
		if !slices.Contains(c.header, title) {
			c.fault(-1, title, "there is no such column; there are %s", strings.Join(c.header, ", "))
		}
	}
	for k, title := range c.header {
		use := c.meaning(title)
		if other := slices.Index(c.use[:k], use); use != "" && other >= 0 {
			c.fault(-1, title, "stands for %s, as column %q does", use, c.header[other])
			continue
		}
		c.use[k] = use
	}
}

func (c *table) meaning(title string) string {
	if use, given := c.Columns[title]; given {
		return c.target(title, use)
	}
	switch {
	case slices.Contains(readable, title), strings.HasPrefix(title, parameterPrefix), strings.HasPrefix(title, metricPrefix):
		return c.wanted(title)
	case slices.Contains(c.parameterNames(), title):
		return parameterPrefix + title
	case slices.Contains(c.metricNames(), title):
		return metricPrefix + title
	case aliases[title] != "":
		return aliases[title]
	}
	for _, prefix := range []string{"params_", "values_"} {
		if name, ok := strings.CutPrefix(title, prefix); ok && prefix == "params_" {
			return c.wanted(parameterPrefix + name)
		} else if ok {
			return c.wanted(metricPrefix + name)
		}
	}
	return ""
}

// target checks what a flag says a column stands for.
func (c *table) target(title, use string) string {
	if !slices.Contains(readable, use) && !strings.HasPrefix(use, parameterPrefix) && !strings.HasPrefix(use, metricPrefix) {
		c.fault(-1, title, "cannot stand for %q; want params.NAME, metrics.NAME or one of %s%s", use, strings.Join(readable, ", "), c.otherWay(use))
		return ""
	}
	return use
}

// otherWay is a word for whoever wrote a title where it says what a column stands for.
func (c *table) otherWay(use string) string {
	if slices.Contains(c.header, use) {
		return fmt.Sprintf("; --column has the title first, as in %s=metrics.NAME", use)
	}
	return fmt.Sprintf("; nor is there a column %s: the columns are %s", use, strings.Join(c.header, ", "))
}

// wanted drops columns of parameters and metrics that the given spec does not have.
func (c *table) wanted(use string) string {
	if c.Spec == nil {
		return use
	}
	if name, ok := strings.CutPrefix(use, parameterPrefix); ok && !slices.Contains(c.parameterNames(), name) {
		return ""
	}
	if name, ok := strings.CutPrefix(use, metricPrefix); ok && !slices.Contains(c.metricNames(), name) {
		return ""
	}
	return use
}

// parameterNames are those that are known before the cells are looked at.
func (c *table) parameterNames() []string {
	if c.Spec == nil {
		return c.Parameters
	}
	var names []string
	for _, p := range c.Spec.Parameters {
		names = append(names, p.Name)
	}
	return names
}

func (c *table) metricNames() (names []string) {
	if c.Spec == nil {
		for _, o := range c.Objectives {
			names = append(names, o.MetricName)
		}
		return names
	}
	return append(c.Spec.Needed(), c.Spec.Objective.AdditionalMetricNames...)
}

// spec returns the one given, or makes one of the columns.
func (c *table) spec() *experiment.Spec {
	if c.Spec != nil {
		for _, name := range c.parameterNames() {
			c.needs(parameterPrefix+name, "parameter "+name)
		}
		for _, name := range c.Spec.Needed() {
			c.needs(metricPrefix+name, "metric "+name)
		}
		return c.Spec
	}
	if c.contradiction() {
		return nil
	}
	for _, name := range c.Parameters {
		c.needs(parameterPrefix+name, "parameter "+name)
	}
	for _, o := range c.Objectives {
		c.needs(metricPrefix+o.MetricName, "metric "+o.MetricName)
	}
	if len(c.Objectives) == 0 {
		c.fault(-1, "", "nothing says which metric is the objective: give the experiment with --spec, or --objective minimize=METRIC")
		return nil
	}
	if !slices.ContainsFunc(c.use, func(use string) bool { return strings.HasPrefix(use, parameterPrefix) }) {
		c.fault(-1, "", "nothing says which columns are parameters: name them with --parameters, as in --parameters NAME,NAME, or give the experiment with --spec")
		return nil
	}
	return c.guessed()
}

// guessed is the spec that the columns make.
func (c *table) guessed() *experiment.Spec {
	spec := objectiveSpec(c.Objectives)
	var columns [][]*string
	for k, use := range c.use {
		if name, ok := strings.CutPrefix(use, parameterPrefix); ok {
			columns = append(columns, c.column(k))
			spec.Parameters = append(spec.Parameters, guess(name, columns[len(columns)-1]))
		} else if name, ok := strings.CutPrefix(use, metricPrefix); ok && !slices.Contains(c.metricNames(), name) {
			spec.Objective.AdditionalMetricNames = append(spec.Objective.AdditionalMetricNames, name)
		}
	}
	for _, i := range conditions(spec.Parameters, columns) {
		name := spec.Parameters[i].Name
		c.fault(-1, c.header[slices.Index(c.use, parameterPrefix+name)],
			"some trials have no value of it, and no other parameter tells when: give the search space with --spec")
	}
	return spec
}

// objectiveSpec is a spec without parameters.
func objectiveSpec(objectives []experiment.FurtherObjective) *experiment.Spec {
	s := &experiment.Spec{
		Objective: &experiment.Objective{ObjectiveMetricName: objectives[0].MetricName, Type: objectives[0].Type},
		Algorithm: &experiment.Algorithm{AlgorithmName: "bayesianoptimization"},
	}
	if len(objectives) > 1 {
		s.Tuned = &experiment.Extension{Objectives: objectives[1:]}
	}
	return s
}

func (c *table) needs(use, what string) {
	if !slices.Contains(c.use, use) {
		name := strings.SplitN(use, ".", 2)[1]
		f := experiment.Fault{
			Line: 1, Column: 1, Path: name, Type: experiment.Required, Nearest: c.nearest(name),
			Detail: "no column stands for " + what + "; --column TITLE=" + use + " names one",
		}
		c.faults = append(c.faults, f)
	}
}

// nearest is the title that a name may have been meant to be, never the name itself.
func (c *table) nearest(name string) string {
	if slices.Contains(c.header, name) {
		return "" // it stands for something else
	}
	return experiment.Nearest(name, c.header)
}

// contradiction says what is wrong with the names that flags give, before columns are looked for.
func (c *table) contradiction() bool {
	before := len(c.faults)
	for _, o := range c.Objectives {
		if c.Spec == nil && slices.Contains(c.Parameters, o.MetricName) {
			c.fault(-1, o.MetricName, "it is both a parameter (--parameters) and a metric (--objective); it can be one of them")
		}
	}
	return len(c.faults) > before
}

// column returns the cells of one column, nil where they are empty.
func (c *table) column(k int) []*string {
	out := make([]*string, len(c.rows))
	for i, row := range c.rows {
		if row[k] != "" {
			out[i] = &row[k]
		}
	}
	return out
}
