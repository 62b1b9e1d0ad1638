package exchange

import (
	"io"
	"reflect"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Nodes of values without a logical type.
var (
	double  = parquet.Leaf(parquet.DoubleType)
	boolean = parquet.Leaf(parquet.BooleanType)
)

// column is one column of the Parquet file.
type column struct {
	name string
	node parquet.Node // optional, unless every trial has a value
	// value of a trial; a null one where there is none.
	value func(t *experiment.Trial, v verdict) parquet.Value
}

// ordered is a group whose fields stay in their order, which those of parquet.Group do not.
type ordered struct {
	parquet.Group
	columns []column
}

// Fields returns the columns.
func (o *ordered) Fields() []parquet.Field {
	fields := make([]parquet.Field, len(o.columns))
	for i, c := range o.columns {
		fields[i] = &field{c.node, c.name}
	}
	return fields
}

// GoType is of no row: they are made of values, and a name may be no field of a Go struct.
func (o *ordered) GoType() reflect.Type { return reflect.TypeFor[struct{}]() }

// field is a column as the field of a group.
type field struct {
	parquet.Node
	name string
}

// Name returns the column's name.
func (f *field) Name() string { return f.name }

// Value is asked for with Go structs alone.
func (f *field) Value(reflect.Value) reflect.Value { return reflect.Value{} }

// writeParquet writes a row per trial, in typed columns named as those of the CSV.
func writeParquet(w io.Writer, s *Study) error {
	cs := s.columns()
	out := parquet.NewWriter(w, parquet.NewSchema("trials", &ordered{columns: cs}), parquet.Compression(&parquet.Snappy))
	verdicts := s.verdicts()
	for i := range s.Trials {
		row := make(parquet.Row, len(cs))
		for k, c := range cs {
			v := c.value(&s.Trials[i], verdicts[i])
			defined := 0
			if c.node.Optional() && !v.IsNull() {
				defined = 1
			}
			row[k] = v.Level(0, defined, k)
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			return err
		}
	}
	return out.Close()
}

func (s *Study) columns() []column {
	cs := []column{
		{"number", parquet.Int(64), func(t *experiment.Trial, _ verdict) parquet.Value { return parquet.Int64Value(int64(t.Number)) }},
		textColumn("name", func(t *experiment.Trial) string { return t.Name }),
		textColumn("state", func(t *experiment.Trial) string { return string(t.State) }),
		textColumn("reason", func(t *experiment.Trial) string { return t.Reason }),
		textColumn("message", func(t *experiment.Trial) string { return t.Message }),
	}
	for _, p := range s.Experiment.Spec.Parameters {
		cs = append(cs, parameterColumn(p.Name, p.ParameterType))
	}
	for _, m := range s.metrics() {
		cs = append(cs, column{metricPrefix + m, parquet.Optional(double), func(t *experiment.Trial, _ verdict) parquet.Value {
			if v, ok := s.metric(t, m); ok {
				return parquet.DoubleValue(v)
			}
			return parquet.NullValue()
		}})
	}
	return append(cs,
		timeColumn("created", func(t *experiment.Trial) time.Time { return t.Created }),
		timeColumn("started", func(t *experiment.Trial) time.Time { return t.Started }),
		timeColumn("finished", func(t *experiment.Trial) time.Time { return t.Finished }),
		column{"seconds", parquet.Optional(double), func(t *experiment.Trial, _ verdict) parquet.Value {
			if v, ok := seconds(t); ok {
				return parquet.DoubleValue(v)
			}
			return parquet.NullValue()
		}},
		boolColumn("feasible", func(v verdict) *bool { return v.feasible }),
		boolColumn("front", func(v verdict) *bool { return v.front }),
		column{"best", boolean, func(_ *experiment.Trial, v verdict) parquet.Value { return parquet.BooleanValue(v.best) }},
		column{"parent", parquet.Optional(parquet.Int(64)), func(t *experiment.Trial, _ verdict) parquet.Value {
			if t.Parent == 0 {
				return parquet.NullValue()
			}
			return parquet.Int64Value(int64(t.Parent))
		}},
		textColumn("algorithm", func(t *experiment.Trial) string { return t.Algorithm }),
	)
}

func textColumn(name string, of func(*experiment.Trial) string) column {
	return column{name, parquet.String(), func(t *experiment.Trial, _ verdict) parquet.Value { return parquet.ByteArrayValue([]byte(of(t))) }}
}

func timeColumn(name string, of func(*experiment.Trial) time.Time) column {
	return column{name, parquet.Optional(parquet.Timestamp(parquet.Microsecond)), func(t *experiment.Trial, _ verdict) parquet.Value {
		if at := of(t); !at.IsZero() {
			return parquet.Int64Value(at.UnixMicro())
		}
		return parquet.NullValue()
	}}
}

func boolColumn(name string, of func(verdict) *bool) column {
	return column{name, parquet.Optional(boolean), func(_ *experiment.Trial, v verdict) parquet.Value {
		if b := of(v); b != nil {
			return parquet.BooleanValue(*b)
		}
		return parquet.NullValue()
	}}
}

// parameterColumn holds numbers of the parameter's type; texts of a categorical one.
func parameterColumn(name, kind string) column {
	node, read := parquet.String(), func(text string) parquet.Value { return parquet.ByteArrayValue([]byte(text)) }
	switch kind {
	case "double", "discrete":
		node, read = double, func(text string) parquet.Value {
			return parquet.DoubleValue(experiment.ParseValue(text))
		}
	case "int":
		node, read = parquet.Int(64), func(text string) parquet.Value {
			if v, err := strconv.ParseInt(text, 10, 64); err == nil {
				return parquet.Int64Value(v)
			}
			return parquet.Int64Value(int64(experiment.ParseValue(text))) // 1e3
		}
	}
	return column{parameterPrefix + name, parquet.Optional(node), func(t *experiment.Trial, _ verdict) parquet.Value {
		if text, ok := parameter(t, name); ok {
			return read(text)
		}
		return parquet.NullValue()
	}}
}
