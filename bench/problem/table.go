package problem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// tables are the members of hpotab15, with the spaces that they are grids of: HPOBench's neural
// networks (Eggensperger et al. 2021), HPOLib's (Klein and Hutter 2019), NAS-Bench-201 (Dong and
// Yang 2020). Those of claim/hpotab15-hidden are in no other suite: nothing may be tuned on them.
var tables = map[string]func() []searchspace.Parameter{
	"australian": hpobenchSpace, "blood_transfusion": hpobenchSpace, "car": hpobenchSpace, "credit_g": hpobenchSpace,
	"kc1": hpobenchSpace, "phoneme": hpobenchSpace, "segment": hpobenchSpace, "vehicle": hpobenchSpace,
	"naval_propulsion": hpolibSpace, "parkinsons_telemonitoring": hpolibSpace,
	"protein_structure": hpolibSpace, "slice_localization": hpolibSpace,
	"cifar10": nasSpace, "cifar100": nasSpace, "imagenet": nasSpace,
}

func hpobenchSpace() []searchspace.Parameter {
	return []searchspace.Parameter{
		ladder("alpha", 1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5, 2.7825593e-4, 2.1544348e-3, 1.6681006e-2, 1.2915497e-1, 1),
		ladder("batch_size", 4, 6, 10, 16, 25, 40, 64, 101, 161, 256),
		{Name: "depth", Kind: searchspace.Int, Min: 1, Max: 3},
		ladder("learning_rate_init", 1e-5, 3.5938137e-5, 1.2915497e-4, 4.641589e-4, 1.6681006e-3, 5.9948424e-3, 2.1544347e-2, 7.742637e-2, 2.7825594e-1, 1),
		ladder("width", 16, 25, 40, 64, 101, 161, 256, 406, 645, 1024),
	}
}

func hpolibSpace() []searchspace.Parameter {
	return []searchspace.Parameter{
		choice("activation_fn_1", "relu", "tanh"),
		choice("activation_fn_2", "relu", "tanh"),
		ladder("batch_size", 8, 16, 32, 64),
		ladder("dropout_1", 0, 0.3, 0.6),
		ladder("dropout_2", 0, 0.3, 0.6),
		ladder("init_lr", 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1),
		choice("lr_schedule", "cosine", "const"),
		ladder("n_units_1", 16, 32, 64, 128, 256, 512),
		ladder("n_units_2", 16, 32, 64, 128, 256, 512),
	}
}

func nasSpace() []searchspace.Parameter {
	params := make([]searchspace.Parameter, 6)
	for i := range params {
		params[i] = choice("Op"+strconv.Itoa(i), "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
	}
	return params
}

// ladder is a list of numbers, which the unit cube sees as equally far apart, so that those of
// geometric lists are on a log scale.
func ladder(name string, numbers ...float64) searchspace.Parameter {
	p := searchspace.Parameter{Name: name, Kind: searchspace.Discrete, Numbers: numbers}
	for _, v := range numbers {
		p.Values = append(p.Values, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return p
}

func choice(name string, values ...string) searchspace.Parameter {
	return searchspace.Parameter{Name: name, Kind: searchspace.Categorical, Values: values}
}

// table is what a file of export_tables.py holds.
type table struct {
	levels  []int
	runs    int
	losses  []float64 // a row of runs per configuration; NaN where one is missing
	means   []float64 // of the rows
	sorted  []float64 // means
	seconds []float64 // training time of a configuration
}

// loaded keeps each table once.
var loaded struct {
	sync.Mutex
	tables map[string]*table
}

// loadTable reads a table from the user's cache.
func loadTable(name string) (*table, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if t, ok := loaded.tables[name]; ok {
		return t, nil
	}
	path := filepath.Join(cacheFolder(), "tables", name+".table")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("table %s is not installed: run bench/problem/install tables", name)
	} else if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	t, err := parseTable(data)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", path, err)
	}
	if loaded.tables == nil {
		loaded.tables = make(map[string]*table)
	}
	loaded.tables[name] = t
	return t, nil
}

// cacheFolder is where the bench keeps what it installs.
func cacheFolder() string {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(cache, "tuned-hpo", "bench")
}

func parseTable(data []byte) (*table, error) {
	const magic = "HPT1"
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return nil, errors.New("not a table of export_tables.py")
	}
	n := int(data[len(magic)])
	head := len(magic) + 1 + n + 1
	if len(data) < head {
		return nil, errors.New("cut short")
	}
	t := &table{runs: int(data[head-1])}
	size := 1
	for _, l := range data[len(magic)+1 : head-1] {
		t.levels = append(t.levels, int(l))
		size *= int(l)
	}
	if want := head + 4*size*(t.runs+1); len(data) != want {
		return nil, fmt.Errorf("has %d bytes, want %d", len(data), want)
	}
	t.losses = floats(data[head : head+4*size*t.runs])
	t.seconds = floats(data[head+4*size*t.runs:])
	for row := range slices.Chunk(t.losses, t.runs) {
		t.means = append(t.means, mean(row))
	}
	t.sorted = slices.Clone(t.means)
	slices.Sort(t.sorted)
	return t, nil
}

func floats(data []byte) []float64 {
	out := make([]float64, len(data)/4)
	for i := range out {
		out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
	}
	return out
}

// mean is that of the values which are there; +Inf if none is.
func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / float64(n)
}
