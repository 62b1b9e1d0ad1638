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

	"github.com/tuned-hpo/tuned/internal/failpoint"
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
	if err := failpoint.Err("agent.spool"); err != nil {
		return fmt.Errorf("append to spool: %w", err)
	}
	if _, err := s.file.WriteAt(s.buf.Bytes(), s.size); err != nil {
		return fmt.Errorf("append to spool: %w", errors.Join(err, s.file.Truncate(s.size)))
	}
	failpoint.Hit("agent.spooled")
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

// ErrDamaged says that a record of a spool was changed or lost though others follow. The message says
// at which byte.
var ErrDamaged = errors.New("damaged spool")

// Cursor reads a spool.
type Cursor struct {
	r      *bufio.Reader
	after  uint64
	offset int64 // of what r reads next
}

func newCursor(file io.ReaderAt, offset int64, after uint64) *Cursor {
	const everything = 1 << 62
	return &Cursor{
		r:     bufio.NewReaderSize(growing{io.NewSectionReader(file, offset, everything)}, 64<<10),
		after: after, offset: offset,
	}
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

// Next returns the next measurement. It is io.EOF at the end, which a record may be that was torn
// when the machine died, and ErrDamaged where a record is damaged that others follow, or is missing.
// After ErrDamaged the cursor is of no use.
func (c *Cursor) Next() (Measurement, error) {
	for {
		begin := c.offset
		m, ok, err := c.record()
		if err != nil {
			return Measurement{}, err
		}
		if !ok && c.atEnd() {
			return Measurement{}, io.EOF
		}
		if !ok || m.Seq > c.after+1 {
			return Measurement{}, fmt.Errorf("%w: at byte %d, where number %d was expected", ErrDamaged, begin, c.after+1)
		}
		if m.Seq == c.after+1 {
			c.after = m.Seq
			return m, nil
		}
	}
}

// record reads a line, and the record in it if that is whole.
func (c *Cursor) record() (m Measurement, ok bool, err error) {
	line, err := c.r.ReadBytes('\n')
	c.offset += int64(len(line))
	if err != nil {
		return m, false, err
	}
	m, ok = parseRecord(line)
	return m, ok, nil
}

func (c *Cursor) atEnd() bool {
	_, err := c.r.Peek(1)
	return errors.Is(err, io.EOF)
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
// does not exist is empty. With ErrDamaged it returns those that come before the damage.
func ReadSpool(root *os.Root, after uint64) ([]Measurement, error) {
	var out []Measurement
	err := readSpool(root, after, func(c *Cursor) error {
		m, err := c.Next()
		if err == nil {
			out = append(out, m)
		}
		return err
	})
	return out, err
}

// LastNumber returns the highest number in the folder's spool, 0 when there is none. It looks beyond
// damage: what was collected is known even where it can be read no more.
func LastNumber(root *os.Root) (last uint64, err error) {
	err = readSpool(root, 0, func(c *Cursor) error {
		m, ok, err := c.record()
		if ok {
			last = max(last, m.Seq)
		}
		return err
	})
	return last, err
}

// readSpool calls next with a cursor of the folder's spool until its error, io.EOF in the end.
func readSpool(root *os.Root, after uint64, next func(*Cursor) error) error {
	file, err := root.Open(SpoolFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	defer file.Close()
	for c := newCursor(file, 0, after); err == nil; {
		err = next(c)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read spool: %w", err)
}
