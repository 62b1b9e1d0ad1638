package experiment

import (
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const collectorPath = "spec.metricsCollectorSpec"

var collectorKinds = []string{string(StdOut), string(File), string(TensorFlowEvent), string(PrometheusMetric), string(Custom), string(Push)}

func (v *validator) metricsCollector() {
	m := v.e.Spec.MetricsCollectorSpec
	if m == nil || m.Collector == nil {
		v.add(collectorPath+".collector", Required, "must be specified")
		return
	}
	source := m.Source
	if source == nil {
		source = &MetricsSource{}
	}
	switch m.Collector.Kind {
	case StdOut, Push:
		if v.o.Katib {
			return // Katib does not look at the filter of these
		}
	case File:
		v.fileCollector(source)
	case TensorFlowEvent:
		v.eventCollector(source)
	case PrometheusMetric:
		v.prometheusCollector(source)
	case Custom:
		v.customCollector(m.Collector, source)
	default:
		v.addValue(collectorPath+".collector.kind", "want "+strings.Join(collectorKinds, ", "), string(m.Collector.Kind), collectorKinds...)
	}
	v.filter(source.Filter)
}

// filesOf returns where a source reads; zero when it does not say.
func filesOf(s *MetricsSource) FileSystemPath {
	if s.FileSystemPath == nil {
		return FileSystemPath{}
	}
	return *s.FileSystemPath
}

func (v *validator) fileCollector(s *MetricsSource) {
	const at = collectorPath + ".source"
	f := filesOf(s)
	if f.Kind != "File" || !path.IsAbs(f.Path) {
		v.add(at+".fileSystemPath.path", Required, "the absolute path of a metrics file, and kind File, are required")
	}
	if f.Format != "TEXT" && f.Format != "JSON" {
		v.faults = append(v.faults, Fault{
			Path: at + ".fileSystemPath.format", Type: Required, Detail: "want TEXT or JSON",
			Value: f.Format, Nearest: Nearest(f.Format, []string{"TEXT", "JSON"}),
		})
	}
	if f.Format == "JSON" && s.Filter != nil {
		v.add(at+".filter", Invalid, "must be absent when the format of the metrics file is JSON")
	}
}

func (v *validator) eventCollector(s *MetricsSource) {
	const at = collectorPath + ".source"
	f := filesOf(s)
	if f.Kind != "Directory" || !path.IsAbs(f.Path) {
		v.add(at, Required, "the absolute path of a directory with TensorFlow events is required in fileSystemPath.path, "+
			"and kind Directory")
	}
	if f.Format != "" {
		v.addValue(at+".fileSystemPath.format", "must be empty", f.Format)
	}
}

func (v *validator) prometheusCollector(s *MetricsSource) {
	const at = collectorPath + ".source.httpGet"
	h := s.HTTPGet
	if h == nil {
		h = &HTTPGet{}
	}
	if port, err := strconv.Atoi(portText(h.Port)); err != nil || port <= 0 || !v.o.Katib && port > 65535 {
		v.addValue(at+".port", "must be a positive port number", portText(h.Port))
	}
	if !strings.HasPrefix(h.Path, "/") {
		v.addValue(at+".path", "must begin with /", h.Path)
	}
}

func (v *validator) customCollector(c *Collector, s *MetricsSource) {
	at := collectorPath + ".collector.customCollector"
	if c.CustomCollector == nil {
		v.add(at, Required, "must be specified for a collector of kind Custom")
	} else if !v.o.Katib {
		v.addUncovered(checkObject(c.CustomCollector, reflect.TypeFor[corev1.Container](), at))
	}
	f := filesOf(s)
	if s.FileSystemPath != nil && (!path.IsAbs(f.Path) || f.Kind != "Directory" && f.Kind != "File") {
		v.add(collectorPath+".source.fileSystemPath", Invalid, "want an absolute path, and kind File or Directory")
	}
}

// twoGroups is Katib's own test for two groups; an escaped bracket passes it.
var twoGroups = regexp.MustCompile(`.*\(.*\).*\(.*\).*`)

func (v *validator) filter(f *Filter) {
	if f == nil {
		return
	}
	at := collectorPath + ".source.filter.metricsFormat"
	for _, format := range f.MetricsFormat {
		re, err := regexp.Compile(format)
		switch {
		case err != nil:
			v.addValue(at, "invalid filter: "+err.Error(), format)
		case !twoGroups.MatchString(format), !v.o.Katib && re.NumSubexp() < 2:
			v.addValue(at, "want two groups in brackets: the metric's name and its value", format)
		}
	}
}
