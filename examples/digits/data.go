package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
)

const (
	pixels  = 64 // 8 by 8, row by row
	classes = 10
	ink     = 16 // a pixel's largest value in the file
)

//go:embed digits.csv.gz
var digits []byte

// Sample is one handwritten digit.
type Sample struct {
	Pixels [pixels]float64 // in [0, 1], both ends included
	Label  int             // in [0, 9]
}

// Samples reads the embedded data set in the order of its file.
func Samples() ([]Sample, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(digits))
	if err != nil {
		return nil, fmt.Errorf("open digits: %w", err)
	}
	return readSamples(unzipped)
}

// readSamples reads lines of 64 pixels and a label, separated by commas.
func readSamples(r io.Reader) ([]Sample, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = pixels + 1
	records, err := lines.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read digits: %w", err)
	}
	samples := make([]Sample, len(records))
	for i, record := range records {
		if samples[i], err = parseSample(record); err != nil {
			return nil, fmt.Errorf("read digits: line %d: %w", i+1, err)
		}
	}
	return samples, nil
}

func parseSample(record []string) (Sample, error) {
	var s Sample
	for i, text := range record[:pixels] {
		v, err := strconv.ParseUint(text, 10, 8)
		if err != nil || v > ink {
			return s, fmt.Errorf("pixel %d: %q is no number from 0 to %d", i, text, ink)
		}
		s.Pixels[i] = float64(v) / ink
	}
	label, err := strconv.ParseUint(record[pixels], 10, 8)
	if err != nil || label >= classes {
		return s, fmt.Errorf("label: %q is no digit", record[pixels])
	}
	s.Label = int(label)
	return s, nil
}

// Parts is the data set cut in three. No sample is in two of them.
type Parts struct {
	Train      []Sample // what the weights are fitted to
	Validation []Sample // what the hyperparameters are chosen by
	Test       []Sample // looked at once, after the last epoch
}

// Split cuts the samples of each class into 60 % training, 20 % validation and 20 % test,
// after shuffling them by the seed.
func Split(samples []Sample, seed uint64) Parts {
	random := rand.New(rand.NewPCG(seed, 0))
	byClass := make([][]Sample, classes)
	for _, s := range samples {
		byClass[s.Label] = append(byClass[s.Label], s)
	}
	var p Parts
	for _, class := range byClass {
		random.Shuffle(len(class), func(i, j int) { class[i], class[j] = class[j], class[i] })
		held := len(class) / 5
		p.Test = append(p.Test, class[:held]...)
		p.Validation = append(p.Validation, class[held:2*held]...)
		p.Train = append(p.Train, class[2*held:]...)
	}
	return p
}
