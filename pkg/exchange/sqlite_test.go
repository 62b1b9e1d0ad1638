package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestColumnsOf(t *testing.T) {
	for sql, want := range map[string][]string{
		`CREATE TABLE a (id INTEGER PRIMARY KEY, "key" VARCHAR(512) NOT NULL, b FLOAT)`:                        {"id", "key", "b", "0"},
		"CREATE TABLE a (\n\tb TEXT, \n\tid INTEGER NOT NULL, \n\tPRIMARY KEY (id), \n\tUNIQUE (b, id)\n)":     {"b", "id", "1"},
		`CREATE TABLE a (s VARCHAR(8), CHECK (s IN ('A', 'B')), CONSTRAINT c FOREIGN KEY(s) REFERENCES x (y))`: {"s", "-1"},
		"": {"-1"},
	} {
		columns, id := columnsOf(sql)
		if diff := cmp.Diff(append(columns, exact(float64(id))), want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", sql, diff)
		}
	}
}

func TestVarint(t *testing.T) {
	for _, tt := range []struct {
		bytes []byte
		v     uint64
		n     int
	}{
		{nil, 0, 0},
		{[]byte{0x7f}, 127, 1},
		{[]byte{0x81, 0x00}, 128, 2},
		{[]byte{0x81}, 0, 0},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<64 - 1, 9},
	} {
		if v, n := varint(tt.bytes); v != tt.v || n != tt.n {
			t.Errorf("%x: got %d in %d bytes, want %d in %d", tt.bytes, v, n, tt.v, tt.n)
		}
	}
}
