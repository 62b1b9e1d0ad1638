package trialdir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

// Measurement is one value of one metric.
type Measurement struct {
	Seq    uint64    `json:"seq"` // from 1, without gaps
	Time   time.Time `json:"time,omitzero"`
	Step   int64     `json:"step,omitempty"`
	Metric string    `json:"metric"`
	Text   string    `json:"text"`
}

// stride is how many measurements lie between two entries of a spool's index.
const stride = 1024

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Spool keeps the measurements of one attempt in the order of their numbers: lines of a CRC-32C in
// hexadecimal, a space and JSON. What was written survives the death of the process; after that
// of the machine a prefix is left. Methods may be called concurrently.
type Spool struct {
	file *os.File

	mu    sync.Mutex
	last  uint64
	size  int64
	index []int64 // where the measurements 1, 1+stride, 1+2*stride, ... begin
	buf   bytes.Buffer
}

// CreateSpool makes an empty spool in the folder.
func CreateSpool(root *os.Root) (*Spool, error) {
	file, err := root.OpenFile(SpoolFile, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	return &Spool{file: file}, nil
}

// Append numbers the measurements, in place, and writes them. After an error nothing was added.
func (s *Spool) Append(ms []Measurement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	index := s.index
	for i := range ms {
		ms[i].Seq = s.last + uint64(i) + 1
		if (ms[i].Seq-1)%stride == 0 {
			index = append(index, s.size+int64(s.buf.Len()))
		}
		text, err := json.Marshal(&ms[i])
		if err != nil {
			return fmt.Errorf("append to spool: %w", err)
		}
		fmt.Fprintf(&s.buf, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
	}
	if _, err := s.file.WriteAt(s.buf.Bytes(), s.size); err != nil {
		return fmt.Errorf("append to spool: %w", errors.Join(err, s.file.Truncate(s.size)))
	}
	s.size += int64(s.buf.Len())
	s.last += uint64(len(ms))
	s.index = index
	return nil
}

// Last returns the number of the newest measurement, 0 when there is none.
func (s *Spool) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Size returns the length of the file in bytes.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Close closes the file.
func (s *Spool) Close() error { return s.file.Close() }

// After returns a cursor whose first measurement has the number after+1.
func (s *Spool) After(after uint64) *Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	var offset int64
	if i := int(after / stride); i < len(s.index) {
		offset = s.index[i]
	} else if len(s.index) > 0 {
		offset = s.index[len(s.index)-1]
	}
	return newCursor(s.file, offset, after)
}

// Cursor reads a spool.
type Cursor struct {
	r     *bufio.Reader
	after uint64
}

func newCursor(file io.ReaderAt, offset int64, after uint64) *Cursor {
	const everything = 1 << 62
	return &Cursor{r: bufio.NewReaderSize(growing{io.NewSectionReader(file, offset, everything)}, 64<<10), after: after}
}

// growing reads a file that grows: an end that was met together with data may be none by the time
// that the data have been used.
type growing struct{ section *io.SectionReader }

func (g growing) Read(p []byte) (int, error) {
	n, err := g.section.Read(p)
	if n > 0 {
		return n, nil
	}
	return n, err
}

// Next returns the next measurement. It is io.EOF at the end, and where the file was cut or is
// damaged: what follows such a place has no order any more.
func (c *Cursor) Next() (Measurement, error) {
	for {
		line, err := c.r.ReadBytes('\n')
		if err != nil {
			return Measurement{}, err
		}
		m, ok := parseRecord(line)
		if !ok || m.Seq > c.after+1 {
			return Measurement{}, io.EOF
		}
		if m.Seq == c.after+1 {
			c.after = m.Seq
			return m, nil
		}
	}
}

func parseRecord(line []byte) (m Measurement, ok bool) {
	sum, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if !ok {
		return m, false
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(text, castagnoli) {
		return m, false
	}
	return m, json.Unmarshal(text, &m) == nil
}

// ReadSpool returns the measurements in the folder's spool that come after a number. A spool that
// does not exist is empty.
func ReadSpool(root *os.Root, after uint64) ([]Measurement, error) {
	file, err := root.Open(SpoolFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	defer file.Close()
	var out []Measurement
	for c := newCursor(file, 0, after); ; {
		m, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read spool: %w", err)
		}
		out = append(out, m)
	}
}
