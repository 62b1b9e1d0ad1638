package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// disk measures what a sync of the disk takes that all data is on: much of what is measured here is
// waiting for that.
func (b *bench) disk(context.Context) (err error) {
	file, err := os.Create(filepath.Join(b.dir, "sync"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	page := make([]byte, 4096)
	var all []time.Duration
	for range 200 {
		started := time.Now()
		if _, err := file.Write(page); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		all = append(all, time.Since(started))
	}
	b.add("disk", "append and sync 4 KiB", quantiles(all)...)
	return nil
}
