package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	watermarkName  = "watermark"
	watermarkSlot  = 512 // bytes between the two slots: a sector, so that a torn write harms one only
	watermarkMagic = "TUNW"
)

// watermark is a file with the sequence number of the last acknowledged group commit, written in
// turns to two slots of {magic, sequence number, CRC-32C}. It is what shows that Badger has lost
// the end of its log.
type watermark struct {
	file *os.File
	slot int64
}

// readWatermark returns the last acknowledged sequence number. The error is fs.ErrNotExist when
// there is no file, store.ErrCorrupt when neither slot can be read.
func readWatermark(dir string) (seq uint64, err error) {
	text, err := os.ReadFile(filepath.Join(dir, watermarkName))
	if err != nil {
		return 0, err
	}
	return parseWatermark(text)
}

// parseWatermark returns the greater number of the slots that are intact.
func parseWatermark(text []byte) (seq uint64, err error) {
	valid := false
	for at := 0; at+16 <= len(text) && at <= watermarkSlot; at += watermarkSlot {
		slot := text[at : at+16]
		if string(slot[:4]) == watermarkMagic && crc32.Checksum(slot[:12], castagnoli) == binary.LittleEndian.Uint32(slot[12:]) {
			seq, valid = max(seq, binary.LittleEndian.Uint64(slot[4:])), true
		}
	}
	if !valid {
		return 0, fmt.Errorf("read watermark: no slot is intact: %w", store.ErrCorrupt)
	}
	return seq, nil
}

// createWatermark replaces the file and leaves it open for advance.
func createWatermark(dir string, seq uint64) (*watermark, error) {
	failpoint.Hit("store.mark.create")
	path := filepath.Join(dir, watermarkName)
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create watermark: %w", err)
	}
	w := &watermark{file: file}
	err = errors.Join(w.advance(seq), w.advance(seq))
	failpoint.Hit("store.mark.created")
	err = errors.Join(err, os.Rename(file.Name(), path))
	failpoint.Hit("store.mark.renamed")
	if err = errors.Join(err, syncDirectory(dir)); err != nil {
		return nil, fmt.Errorf("create watermark: %w", errors.Join(err, file.Close()))
	}
	return w, nil
}

// advance makes seq the last acknowledged commit. It is durable when advance returns.
func (w *watermark) advance(seq uint64) error {
	slot := binary.LittleEndian.AppendUint64([]byte(watermarkMagic), seq)
	slot = binary.LittleEndian.AppendUint32(slot, crc32.Checksum(slot, castagnoli))
	if err := failpoint.Err("store.mark.write"); err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	if _, err := w.file.WriteAt(slot, w.slot); err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	if err := failpoint.Err("store.mark.sync"); err != nil {
		return fmt.Errorf("sync watermark: %w", err)
	}
	if err := unix.Fdatasync(int(w.file.Fd())); err != nil {
		return fmt.Errorf("sync watermark: %w", err)
	}
	failpoint.Hit("store.mark.synced")
	w.slot = watermarkSlot - w.slot
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
