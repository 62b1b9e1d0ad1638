package observe

import (
	"context"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Append implements store.Store. Measurements that were durable already, sent once more after a
// connection broke, are told of once.
func (s *Store) Append(ctx context.Context, stream experiment.Stream, ms []experiment.Measurement) (uint64, error) {
	b := s.book(stream.Experiment)
	p, err := s.openStream(ctx, b, stream)
	if err != nil {
		return 0, err
	}
	start := s.now()
	acked, err := s.Store.Append(ctx, stream, ms)
	if err != nil {
		b.endStream(stream) // it may be of a trial that is over, or of none
	} else {
		s.wrote("append", start)
	}
	first, n := b.advance(p, acked)
	if n > 0 {
		for _, o := range s.observers {
			o.Measured(stream, first, n)
		}
	}
	return acked, err
}

// appended tells of measurements that became durable together with other changes.
func (s *Store) appended(b *book, stream experiment.Stream, ms []experiment.Measurement) {
	if len(ms) == 0 {
		return
	}
	b.streamsMu.Lock()
	if p := b.streams[stream]; p != nil {
		p.acked = max(p.acked, ms[len(ms)-1].Seq)
	}
	b.streamsMu.Unlock()
	for _, o := range s.observers {
		o.Measured(stream, ms[0].Seq, len(ms))
	}
}

// openStream returns how far a stream is durable, read from the store when it is not known.
func (s *Store) openStream(ctx context.Context, b *book, stream experiment.Stream) (*progress, error) {
	b.streamsMu.Lock()
	p := b.streams[stream]
	b.streamsMu.Unlock()
	if p != nil {
		return p, nil
	}
	acked, err := s.Acked(ctx, stream)
	if err != nil {
		return nil, err
	}
	b.streamsMu.Lock()
	defer b.streamsMu.Unlock()
	if p := b.streams[stream]; p != nil { // somebody was faster
		return p, nil
	}
	p = &progress{acked}
	b.streams[stream] = p
	return p, nil
}

// advance notes how far a stream is durable, and returns which measurements that are further ones.
func (b *book) advance(p *progress, acked uint64) (first uint64, n int) {
	b.streamsMu.Lock()
	defer b.streamsMu.Unlock()
	if acked <= p.acked {
		return 0, 0
	}
	first, n = p.acked+1, int(acked-p.acked)
	p.acked = acked
	return first, n
}

func (b *book) endStream(stream experiment.Stream) {
	b.streamsMu.Lock()
	defer b.streamsMu.Unlock()
	delete(b.streams, stream)
}

// endStreams forgets those of a trial.
func (b *book) endStreams(number uint64) {
	b.streamsMu.Lock()
	defer b.streamsMu.Unlock()
	for stream := range b.streams {
		if stream.Number == number {
			delete(b.streams, stream)
		}
	}
}

func (b *book) clearStreams() {
	b.streamsMu.Lock()
	defer b.streamsMu.Unlock()
	clear(b.streams)
}
