package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// A TFRecord is: length (uint64), masked CRC of the length, data, masked CRC of the data; all little
// endian. Source: tensorflow/core/lib/io/record_writer.h.
const (
	recordHeader  = 8 + 4
	recordTrailer = 4
	// Larger records are graphs or pictures, never scalars: they are skipped unread.
	maxRecord = 16 << 20
)

var (
	errCorrupt = errors.New("corrupt record")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// maskedCRC is TensorFlow's CRC of data that may itself hold CRCs.
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// recordFile reads a TFRecord file that grows.
type recordFile struct {
	path   string
	seen   fs.FileInfo // when it was last read
	offset int64       // of the next record
	last   []byte      // what stood just before offset, at most fingerprintLen bytes
	broken bool        // a record was corrupt: nothing after it can be trusted
}

// rewritten tells whether the file is another than the one that was read, or begins anew: a writer
// that names its file by the second may meet the name of its predecessor.
func (f *recordFile) rewritten(info fs.FileInfo) bool {
	if info.Size() < f.seen.Size() || !os.SameFile(f.seen, info) {
		return true
	}
	file, err := os.Open(f.path)
	if err != nil {
		return false // read says why
	}
	defer file.Close()
	now, err := before(file, f.offset)
	return err == nil && !bytes.Equal(now, f.last)
}

// before returns what stands in a file just before the offset, at most fingerprintLen bytes.
func before(file io.ReaderAt, offset int64) ([]byte, error) {
	out := make([]byte, min(offset, fingerprintLen))
	_, err := file.ReadAt(out, offset-int64(len(out)))
	return out, err
}

// read calls use with the data of each whole record that was written since the last call; the data
// is valid during the call. A record that has not arrived in full is left for the next call. A
// corrupt one is reported once, and ends the reading of the file.
func (f *recordFile) read(info fs.FileInfo, use func(data []byte)) error {
	f.seen = info
	size := info.Size()
	if f.broken || size-f.offset < recordHeader+recordTrailer {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer file.Close()
	used, err := readRecords(io.NewSectionReader(file, f.offset, size-f.offset), use)
	f.offset += used
	var failed error
	if f.last, failed = before(file, f.offset); failed != nil {
		err = errors.Join(err, failed)
	}
	if errors.Is(err, errCorrupt) {
		f.broken = true
	}
	if err != nil {
		return fmt.Errorf("read events: %s at byte %d: %w", f.path, f.offset, err)
	}
	return nil
}

// readRecords reads whole records and returns how many bytes they took.
func readRecords(r *io.SectionReader, use func(data []byte)) (used int64, err error) {
	var header [recordHeader]byte
	var buf []byte
	for r.Size()-used >= recordHeader+recordTrailer {
		if _, err := r.ReadAt(header[:], used); err != nil {
			return used, err
		}
		if maskedCRC(header[:8]) != binary.LittleEndian.Uint32(header[8:]) {
			return used, fmt.Errorf("%w: the checksum of its length is wrong", errCorrupt)
		}
		length := binary.LittleEndian.Uint64(header[:8])
		if length > uint64(r.Size()-used-recordHeader-recordTrailer) {
			return used, nil
		}
		whole := recordHeader + int64(length) + recordTrailer
		if length > maxRecord {
			used += whole
			continue
		}
		if n := int(length) + recordTrailer; cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:length+recordTrailer]
		if _, err := r.ReadAt(buf, used+recordHeader); err != nil {
			return used, err
		}
		if maskedCRC(buf[:length]) != binary.LittleEndian.Uint32(buf[length:]) {
			return used, fmt.Errorf("%w: the checksum of its data is wrong", errCorrupt)
		}
		use(buf[:length])
		used += whole
	}
	return used, nil
}
