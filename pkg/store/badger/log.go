package badger

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// logger hands Badger's messages on. What Badger calls information is detail here.
type logger struct{ log zerolog.Logger }

func (l logger) Errorf(format string, args ...any)   { l.write(l.log.Error(), format, args) }
func (l logger) Warningf(format string, args ...any) { l.write(l.log.Warn(), format, args) }
func (l logger) Infof(format string, args ...any)    { l.write(l.log.Debug(), format, args) }
func (l logger) Debugf(format string, args ...any)   { l.write(l.log.Trace(), format, args) }

func (l logger) write(e *zerolog.Event, format string, args []any) {
	if e != nil {
		e.Str("component", "badger").Msg(strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
