package badger

import (
	"context"
	"errors"
	"fmt"
	"sync"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/store"
)

const (
	groupRecords = 2000     // beyond which a group commit takes no further request
	sweepRecords = 1000     // deleted at a time of an experiment that was deleted
	perRecord    = 20       // bytes that Badger adds to a record at least
	groupSlack   = 64 << 10 // bytes of a transaction kept for the writer's own records
)

// write is one record to set, or to delete when its value is nil.
type write struct{ key, value []byte }

// plan is what one request wants to write, checked against the state it finds. apply makes the
// writer's memory agree and returns the request's answer.
type plan struct {
	writes []write
	apply  func() uint64
}

func (p *plan) set(key, payload []byte) { p.writes = append(p.writes, write{key, seal(key, payload)}) }
func (p *plan) delete(key []byte)       { p.writes = append(p.writes, write{key: key}) }

func (p *plan) size() int {
	size := 0
	for _, w := range p.writes {
		size += len(w.key) + len(w.value) + perRecord
	}
	return size
}

type request struct {
	gone     func() error // the error of the caller's context
	isDelete bool
	plan     func(tx *badgerdb.Txn) (*plan, error)
	reply    chan answer // of capacity 1
}

type answer struct {
	value uint64
	err   error
}

// writer is the one goroutine that writes. Requests that arrive while it commits are committed
// together next, so that they share one sync of the disk.
type writer struct {
	db       *badgerdb.DB
	disk     *disk
	tell     func(error) // of the first failure
	mark     *watermark
	requests chan *request
	stop     chan struct{}
	stopOnce sync.Once
	done     chan struct{}

	// Of the goroutine alone.
	meta   meta
	chain  chain
	view   view
	dead   []grave // of deleted experiments with records left
	paused bool    // deleting them waits for space until the next request
	failed error   // of the first commit that failed; no other is tried
}

func newWriter(db *badgerdb.DB, guard *disk, tell func(error)) *writer {
	return &writer{db: db, disk: guard, tell: tell, view: view{}, requests: make(chan *request), stop: make(chan struct{}), done: make(chan struct{})}
}

// do hands a request to the writer and waits for the answer. When ctx ends meanwhile, it is not
// known whether the request is carried out.
func (w *writer) do(ctx context.Context, r *request) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r.gone, r.reply = ctx.Err, make(chan answer, 1)
	select {
	case w.requests <- r:
	case <-w.stop:
		return 0, errClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case a := <-r.reply:
		return a.value, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (w *writer) close() {
	w.stopOnce.Do(func() { close(w.stop) })
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	idle := make(chan struct{})
	close(idle)
	for {
		sweep := idle
		if len(w.dead) == 0 || w.paused || w.failed != nil {
			sweep = nil
		}
		select {
		case r := <-w.requests:
			w.paused = false
			w.group(r)
		case <-sweep:
			w.sweep()
		case <-w.stop:
			return
		}
	}
}

// group is a transaction and who waits for it.
type group struct {
	tx      *badgerdb.Txn
	records int
	size    int // bytes
	waiting []*request
	answers []uint64
	err     error // of adding records
}

func (w *writer) newGroup() *group { return &group{tx: w.db.NewTransaction(true)} }

// group commits a request together with those that wait already.
func (w *writer) group(r *request) {
	g := w.newGroup()
	for r != nil {
		g = w.take(g, r)
		r = nil
		if g.records < groupRecords {
			select {
			case r = <-w.requests:
			default:
			}
		}
	}
	w.commit(g)
}

// take adds a request to a group, or answers it at once when it is refused. It returns the group
// to go on with: a new one when the request did not fit.
func (w *writer) take(g *group, r *request) *group {
	p, err := w.check(g, r)
	if err != nil {
		r.reply <- answer{err: err}
		return g
	}
	if !w.fits(g.records+len(p.writes), g.size+p.size()) {
		w.commit(g)
		g = w.newGroup()
	}
	g.add(p.writes)
	g.waiting = append(g.waiting, r)
	g.answers = append(g.answers, p.apply())
	return g
}

func (w *writer) fits(records, size int) bool {
	return int64(size) <= w.db.MaxBatchSize()-groupSlack && int64(records) <= w.db.MaxBatchCount()-100
}

func (w *writer) check(g *group, r *request) (*plan, error) {
	if err := r.gone(); err != nil {
		return nil, err
	}
	if w.failed != nil {
		return nil, w.failed
	}
	if len(g.waiting) == 0 { // of those that are committed together one is enough
		if err := w.disk.limited(); err != nil {
			return nil, err
		}
	}
	p, err := r.plan(g.tx)
	if err != nil {
		return nil, err
	}
	if !w.fits(len(p.writes), p.size()) {
		return nil, fmt.Errorf("%d records of %d bytes are too many to write at once, at most %d bytes: %w",
			len(p.writes), p.size(), w.db.MaxBatchSize()-groupSlack, store.ErrInvalid)
	}
	return p, w.disk.admit(g.size+p.size(), r.isDelete)
}

// add puts records into the transaction. They fit, so that an error, which then comes up in
// commit, would be Badger's.
func (g *group) add(writes []write) {
	for _, one := range writes {
		g.records++
		g.size += len(one.key) + len(one.value) + perRecord
		if one.value == nil {
			g.err = errors.Join(g.err, g.tx.Delete(one.key))
		} else {
			g.err = errors.Join(g.err, g.tx.Set(one.key, one.value))
		}
	}
}

// commit makes the group durable and answers. The order is: transaction, watermark, answer.
func (w *writer) commit(g *group) {
	defer g.tx.Discard()
	if g.records == 0 {
		for i, r := range g.waiting {
			r.reply <- answer{value: g.answers[i]}
		}
		return
	}
	failpoint.Hit("store.group")
	err := w.failed
	if err == nil {
		err = w.write(g)
	}
	if err != nil && w.failed == nil {
		w.fail(err)
	}
	for i, r := range g.waiting {
		r.reply <- answer{value: g.answers[i], err: w.failed}
		failpoint.Hit("store.answer")
	}
}

// fail lets nothing be written any more. A sync that failed may have dropped what it should have
// written, so that a second one proves nothing: only the next Open knows what is there.
func (w *writer) fail(cause error) {
	w.failed = failure(w.disk.dir, fmt.Errorf("commit %d: %w", w.meta.seq, cause))
	w.disk.log.Error().Err(cause).Str("reason", "StorageFailed").Uint64("commit", w.meta.seq).Msg("the store takes no more writes")
	w.tell(w.failed)
}

// failure is the error of a write that did not become durable.
func failure(dir string, cause error) error {
	return fmt.Errorf("write to %s: %w: %w; what was acknowledged is kept, what was not may be lost: "+
		"see what the kernel says of the disk (dmesg), mend it or make room, and start again", dir, cause, store.ErrFailed)
}

func (w *writer) write(g *group) error {
	w.meta.seq++
	var own plan
	for range 8 { // more than one, so that the chain can become shorter
		seq, ok := w.chain.drop()
		if !ok {
			break
		}
		own.delete(idKey(kindChain, seq))
	}
	w.meta.oldest = w.chain.oldest
	size := number(g.size)
	own.set(idKey(kindChain, w.meta.seq), encodeCounters(&size))
	own.set(metaKey, encodeCounters(&w.meta))
	g.add(own.writes)
	w.chain.push(int64(g.size))
	if g.err != nil {
		return g.err
	}
	if err := failpoint.Err("store.txn"); err != nil {
		return err
	}
	if err := g.tx.Commit(); err != nil {
		return err
	}
	failpoint.Hit("store.txn.done")
	return w.mark.advance(w.meta.seq)
}

// sweep deletes some of the records of a deleted experiment.
func (w *writer) sweep() {
	if w.disk.limited() != nil || w.disk.admit(0, true) != nil {
		w.paused = true
		return
	}
	failpoint.Hit("store.sweep")
	g := w.newGroup()
	p := &plan{}
	d := &w.dead[0]
	for d.kind < len(ofExperiment) && len(p.writes) < sweepRecords {
		d.next = p.deleteSome(g.tx, idKey(ofExperiment[d.kind], d.id), d.next, sweepRecords-len(p.writes))
		if d.next == nil {
			d.kind++
		}
	}
	if d.kind == len(ofExperiment) {
		p.delete(idKey(kindTombstone, d.id))
		w.dead = w.dead[1:]
	}
	g.add(p.writes)
	w.commit(g)
}

// grave is how far the deletion of an experiment's records has come. To begin at the front again
// would mean to pass over all that was deleted before.
type grave struct {
	id   uint64
	kind int    // index in ofExperiment
	next []byte // key to go on at; nil: the first of the kind
}

// deleteSome deletes at most limit records whose keys begin with prefix, from the key next on. It
// returns the key to go on at, nil when none is left.
func (p *plan) deleteSome(tx *badgerdb.Txn, prefix, next []byte, limit int) []byte {
	if next == nil {
		next = prefix
	}
	o := badgerdb.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = prefix, false
	it := tx.NewIterator(o)
	defer it.Close()
	for it.Seek(next); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if limit == 0 {
			return key
		}
		p.delete(key)
		limit--
	}
	return nil
}
