package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	badgerdb "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// checkTables reads the tables that the manifest names, before Badger does: it believes the lengths
// it finds in a table, and one that is cut or overwritten makes it panic in a goroutine of its own,
// which ends the process. Other tables, which a killed process leaves half written, Badger removes.
func checkTables(dir string, o Options) error {
	damaged, err := damagedTables(dir, o)
	if err != nil || len(damaged) == 0 {
		return err
	}
	more := ""
	if n := len(damaged) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more tables)", n)
	}
	return fmt.Errorf("%w%s; %s", damaged[0], more, adviceRestore)
}

// damagedTables returns what is wrong with each table, in the order of their numbers.
func damagedTables(dir string, o Options) ([]error, error) {
	file, err := os.Open(filepath.Join(dir, badgerdb.ManifestFilename))
	if err != nil {
		return nil, err
	}
	manifest, _, err := badgerdb.ReplayManifestFile(file, formatVersion, badgerOptions(dir, o))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read MANIFEST: %w: %w; %s", err, store.ErrCorrupt, adviceRestore)
	}
	if len(manifest.Tables) == 0 {
		return nil, refuseNameless(dir)
	}
	ids := slices.Sorted(maps.Keys(manifest.Tables))
	found := make([]error, len(ids))
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, id := range ids {
		group.Go(func() error {
			if err := checkTable(table.NewFilename(id, dir)); err != nil {
				found[i] = fmt.Errorf("table %s: %w", table.IDToFilename(id), err)
			}
			return nil
		})
	}
	_ = group.Wait() // what is wrong is in found
	return slices.DeleteFunc(found, func(err error) bool { return err == nil }), nil
}

// refuseNameless returns store.ErrCorrupt when a manifest that names no table is one that was cut: Badger
// would delete the tables. Before the first table is named there may be one that is half written, and what
// is in it is in a log still.
func refuseNameless(dir string) error {
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil || len(tables) == 0 || len(tables) == 1 && len(logs) > 0 {
		return err
	}
	return fmt.Errorf("MANIFEST names no table, but %d are there: %w; %s", len(tables), store.ErrCorrupt, adviceRestore)
}

// checkTable returns store.ErrCorrupt unless all of a table is what its checksums say. Its layout,
// as of Badger 4 without compression and encryption, is: blocks, index, length of the index,
// checksum of the index, length of the checksum. A block ends in its checksum and the length of
// that. Lengths are 4 bytes, big-endian.
func checkTable(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the file is missing: %w", store.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	index, blocks, err := readTableIndex(file, info.Size())
	if err != nil {
		return err
	}
	var block fb.BlockOffset
	var text []byte // of one block, the same for all
	for i := range index.OffsetsLength() {
		index.Offsets(&block, i)
		at, size := int64(block.Offset()), int64(block.Len())
		if at+size > blocks {
			return fmt.Errorf("block %d reaches beyond byte %d: %w", i, blocks, store.ErrCorrupt)
		}
		if text, err = checkBlock(file, at, size, text); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
	}
	return nil
}

// readTableIndex returns the index of a table of so many bytes, and where the blocks end.
func readTableIndex(file io.ReaderAt, size int64) (index *fb.TableIndex, end int64, err error) {
	sum, end, err := readBefore(file, size)
	if err != nil {
		return nil, 0, fmt.Errorf("checksum of index: %w", err)
	}
	text, end, err := readBefore(file, end)
	if err != nil {
		return nil, 0, fmt.Errorf("index: %w", err)
	}
	if err := verifySum(text, sum); err != nil {
		return nil, 0, fmt.Errorf("index: %w", err)
	}
	index = fb.GetRootAsTableIndex(text, 0)
	if index.OffsetsLength() == 0 {
		return nil, 0, fmt.Errorf("index names no block: %w", store.ErrCorrupt)
	}
	return index, end, nil
}

// checkBlock looks at one block. It takes room to read it into, and returns it for the next one.
func checkBlock(file io.ReaderAt, at, size int64, room []byte) ([]byte, error) {
	block := io.NewSectionReader(file, at, size)
	sum, end, err := readBefore(block, size)
	if err != nil {
		return room, fmt.Errorf("checksum: %w", err)
	}
	text := slices.Grow(room[:0], int(end))[:end]
	if _, err := block.ReadAt(text, 0); err != nil {
		return text, err
	}
	return text, verifySum(text, sum)
}

// readBefore reads what ends at a byte of the file with its length, and returns where it begins.
func readBefore(file io.ReaderAt, end int64) (text []byte, begin int64, err error) {
	var length [4]byte
	if end -= int64(len(length)); end < 0 {
		return nil, 0, fmt.Errorf("cut off: %w", store.ErrCorrupt)
	}
	if _, err := file.ReadAt(length[:], end); err != nil {
		return nil, 0, err
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size == 0 || size > end {
		return nil, 0, fmt.Errorf("has a length of %d of %d bytes: %w", size, end, store.ErrCorrupt)
	}
	text = make([]byte, size)
	_, err = file.ReadAt(text, end-size)
	return text, end - size, err
}

func verifySum(text, sum []byte) error {
	want := &pb.Checksum{}
	if err := proto.Unmarshal(sum, want); err != nil {
		return fmt.Errorf("checksum: %w: %w", err, store.ErrCorrupt)
	}
	if want.Algo != pb.Checksum_CRC32C { // Badger panics at those that it does not know, and writes no other
		return fmt.Errorf("checksum of kind %d: %w", want.Algo, store.ErrCorrupt)
	}
	if err := y.VerifyChecksum(text, want); err != nil {
		return fmt.Errorf("%w: %w", err, store.ErrCorrupt)
	}
	return nil
}
