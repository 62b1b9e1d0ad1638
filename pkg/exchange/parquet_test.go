package exchange

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

func TestParquet(t *testing.T) {
	s := mixed(t)
	s.Experiment.Spec.Objective.AdditionalMetricNames = []string{"time", `a,b "c"`}
	text := written(t, Parquet, s)
	f, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range f.Root().Columns() {
		columns = append(columns, fmt.Sprint(c.Name(), " ", c.Type(), " ", c.Optional()))
	}
	want := []string{
		"number INT(64,true) false", "name STRING false", "state STRING false", "reason STRING false", "message STRING false",
		"params.lr DOUBLE true", "params.drop DOUBLE true", "params.layers INT(64,true) true", "params.width INT(64,true) true",
		"params.batch DOUBLE true", "params.opt STRING true", "params.momentum DOUBLE true",
		"metrics.loss DOUBLE true", "metrics.time DOUBLE true", `metrics.a,b "c" DOUBLE true`,
		"created TIMESTAMP(isAdjustedToUTC=true,unit=MICROS) true", "started TIMESTAMP(isAdjustedToUTC=true,unit=MICROS) true",
		"finished TIMESTAMP(isAdjustedToUTC=true,unit=MICROS) true", "seconds DOUBLE true", "feasible BOOLEAN true", "front BOOLEAN true", "best BOOLEAN false",
		"parent INT(64,true) true", "algorithm STRING false",
	}
	if diff := cmp.Diff(columns, want); diff != "" {
		t.Errorf("columns (-got +want):\n%s", diff)
	}
	rows := make([]parquet.Row, 20)
	reader := f.RowGroups()[0].Rows()
	defer reader.Close()
	n, _ := reader.ReadRows(rows) // at the end io.EOF
	if n != 10 {
		t.Fatalf("got %d rows, want 10", n)
	}
	for _, tt := range []struct {
		row  int
		want string
	}{
		{1, `2 mixed-2x Succeeded   1e-05 0.3 3 96 32.5 größe "x", y <null> 0.1 7 <null> 1772366520123456 1772366521123456 1772366523623456 2.5 <null> <null> true <null> `},
		{3, `4 mixed-4x Succeeded   0.3 0.3 3 96 32.5 =2+3 <null> NaN 1 <null> 1772366640123456 1772366641123456 1772366643623456 2.5 <null> <null> false <null> `},
		{4, `5 mixed-5x EarlyStopped   0.4 0.3 3 96 32.5 1 0 0.7 2 <null> 1772366700123456 1772366701123456 1772366703623456 2.5 <null> <null> false 1 tpe`},
		{9, `10 mixed-10x Pending   0.8 0.3 3 96 32.5 1 0.5 <null> <null> <null> 1772367000123456 <null> <null> <null> <null> <null> false <null> `},
	} {
		got := fmt.Sprintf("%v", rows[tt.row])
		if diff := cmp.Diff(got, "["+tt.want+"]"); diff != "" {
			t.Errorf("row %d (-got +want):\n%s", tt.row, diff)
		}
	}
}
