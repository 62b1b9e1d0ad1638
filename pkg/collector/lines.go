package collector

import "bytes"

// Lines splits a byte stream into lines. A line ends with \n, \r or \r\n, so that each state of a
// progress bar is a line of its own. Of a longer line the first 64 KiB are kept.
type Lines struct {
	emit    func(line string)
	partial []byte // of the line that has not ended
	afterCR bool   // the last byte was \r: a \n that follows belongs to it
}

// NewLines returns a splitter that calls emit with each line, without its end, from within Write
// and Close.
func NewLines(emit func(line string)) *Lines {
	return &Lines{emit: emit}
}

// Write takes the next bytes of the stream. It never returns an error.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.afterCR && p[0] == '\n' {
			l.afterCR = false
			p = p[1:]
			continue
		}
		l.afterCR = false
		end := bytes.IndexAny(p, "\r\n")
		if end < 0 {
			l.keep(p)
			break
		}
		l.keep(p[:end])
		l.afterCR = p[end] == '\r'
		l.flush()
		p = p[end+1:]
	}
	return n, nil
}

// Close emits the last line if it had no end. Writing may go on with a new line.
func (l *Lines) Close() error {
	if len(l.partial) > 0 {
		l.flush()
	}
	l.afterCR = false
	return nil
}

func (l *Lines) keep(p []byte) {
	room := maxLine - len(l.partial)
	l.partial = append(l.partial, p[:min(room, len(p))]...)
}

func (l *Lines) flush() {
	l.emit(string(l.partial))
	l.partial = l.partial[:0]
}
