package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	longestFrame = 1 << 30 // bytes; Badger's own are a tenth of it
	longestKey   = 65_000  // bytes, Badger's limit
	lastVersion  = 1 << 62 // of a record; those of a store count its commits
	knownMeta    = 1 | 4   // bits of a record in a backup: deleted, earlier versions can be discarded
)

// frames is a reader of a backup that passes on only what Backup may have written: Badger believes lengths and
// bits that it finds there, and takes memory for them or ends the process. A frame is the length of a list
// of records, 8 bytes little-endian, and the list.
type frames struct {
	from  io.Reader
	admit func(size int) error // an error keeps a frame of so many bytes out
	ready bytes.Buffer         // of a frame that was checked
}

// Read implements io.Reader.
func (f *frames) Read(to []byte) (int, error) {
	for f.ready.Len() == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	return f.ready.Read(to)
}

// next reads a frame. io.EOF: there is none.
func (f *frames) next() error {
	f.ready.Reset()
	var head [8]byte
	if _, err := io.ReadFull(f.from, head[:]); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint64(head[:])
	if size > longestFrame {
		return fmt.Errorf("a list of %d bytes: %w", size, store.ErrCorrupt)
	}
	f.ready.Write(head[:])
	if n, err := io.CopyN(&f.ready, f.from, int64(size)); err != nil {
		f.ready.Reset()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%d of %d bytes of a list: %w", n, size, err)
	}
	if err := checkFrame(f.ready.Bytes()[len(head):]); err != nil {
		return err
	}
	return f.admit(int(size))
}

// checkFrame returns store.ErrCorrupt for a list of records that is none of a backup's.
func checkFrame(text []byte) error {
	var list pb.KVList
	if err := proto.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("a list of records cannot be read: %w", store.ErrCorrupt) // protobuf knows no place
	}
	for _, kv := range list.GetKv() {
		if !plausible(kv) {
			return fmt.Errorf("record %.40q, version %d: it is none of a store: %w", kv.GetKey(), kv.GetVersion(), store.ErrCorrupt)
		}
	}
	return nil
}

func plausible(kv *pb.KV) bool {
	for _, bits := range kv.GetMeta() {
		if bits&^knownMeta != 0 {
			return false
		}
	}
	for _, bits := range kv.GetUserMeta() {
		if bits != 0 {
			return false
		}
	}
	key, version := kv.GetKey(), kv.GetVersion()
	return len(key) > 0 && len(key) <= longestKey && !bytes.HasPrefix(key, []byte("!badger!")) &&
		len(kv.GetValue()) <= maxPayload+recordFrame && version < lastVersion && kv.GetExpiresAt() == 0
}
