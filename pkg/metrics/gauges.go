package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// count is what the gauges need to know of an experiment.
type count struct {
	state  experiment.ConditionType
	paused bool
	trials [len(trialStates)]int32
}

// experimentStates and trialStates are all there are.
var (
	experimentStates = [...]experiment.ConditionType{
		experiment.Created, experiment.Running, experiment.Restarting, experiment.Succeeded, experiment.Failed,
	}
	trialStates = [...]experiment.TrialState{
		experiment.TrialPending, experiment.TrialRunning, experiment.TrialSucceeded, experiment.TrialKilled,
		experiment.TrialFailed, experiment.TrialMetricsUnavailable, experiment.TrialEarlyStopped,
	}
)

// note keeps what an experiment has come to.
func (m *Metrics) note(e *experiment.Experiment) {
	s := &e.Status
	c := count{state: s.State(), paused: e.Control.Paused && !s.Completed(), trials: [...]int32{
		s.TrialsPending, s.TrialsRunning, s.TrialsSucceeded, s.TrialsKilled,
		s.TrialsFailed, s.TrialMetricsUnavailable, s.TrialsEarlyStopped,
	}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.count[e.Key()]; !known {
		m.touch(e.Metadata.Namespace)
	}
	m.count[e.Key()] = c
}

func (m *Metrics) drop(key experiment.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.count, key)
}

// sum is how many there are of each kind.
type sum struct {
	experiments map[experiment.ConditionType]int
	paused      map[experiment.ConditionType]int // of experiments
	trials      [len(trialStates)]int
}

func newSum() *sum {
	return &sum{experiments: map[experiment.ConditionType]int{}, paused: map[experiment.ConditionType]int{}}
}

// sums returns what is there, by namespace.
func (m *Metrics) sums() map[string]*sum {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]*sum{}
	for key, c := range m.count {
		s := out[key.Namespace]
		if s == nil {
			s = newSum()
			out[key.Namespace] = s
		}
		s.experiments[c.state]++
		if c.paused {
			s.paused[c.state]++
		}
		for i, n := range c.trials {
			s.trials[i] += int(n)
		}
	}
	return out
}

// gauges are the metrics that are looked up when they are read.
type gauges struct{ m *Metrics }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	katibExperiments = describe("katib_experiments_current", "Experiments stored, by the last of their conditions.", "namespace", "status")
	katibTrials      = describe("katib_trials_current", "Trials stored, by the last of their conditions.", "namespace", "status")
	experiments      = describe("tuned_experiments", "Experiments stored, by state.", "state")
	trials           = describe("tuned_trials", "Trials stored, by state.", "state")
	slots            = describe("tuned_slots", "Slots for trials on this machine.", "resource")
	slotsUsed        = describe("tuned_slots_used", "Slots that running trials take.", "resource")
	storeBytes       = describe("tuned_store_bytes", "Size of the store's files.")
	diskFree         = describe("tuned_disk_free_bytes", "Space that is left on the disk of the data directory.")
	certificateEnd   = describe("tuned_tls_certificate_expiry_timestamp_seconds", "Time at which the TLS certificate of the API expires, since the epoch.")
	agents           = describe("tuned_agents_connected", "Agents of trials that are connected.")
)

// Describe implements prometheus.Collector.
func (gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		katibExperiments, katibTrials, experiments, trials, slots, slotsUsed, storeBytes, diskFree, agents, certificateEnd,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	g.m.collectExperiments(set)
	if g.m.Slots != nil {
		for resource, s := range g.m.Slots() {
			set(slots, float64(s.Total), resource)
			set(slotsUsed, float64(s.Used), resource)
		}
	}
	if g.m.Storage != nil {
		s, err := g.m.Storage()
		if err != nil {
			out <- prometheus.NewInvalidMetric(storeBytes, err)
			return
		}
		set(storeBytes, float64(s.Used))
		set(diskFree, float64(s.Free))
	}
	if g.m.Agents != nil {
		set(agents, float64(g.m.Agents()))
	}
	if g.m.CertificateEnd != nil {
		set(certificateEnd, float64(g.m.CertificateEnd().Unix()))
	}
}

// collectExperiments shows how many experiments and trials there are. Katib's gauges have a series
// where there is something to count; ours have one for each state.
func (m *Metrics) collectExperiments(set func(d *prometheus.Desc, v float64, labels ...string)) {
	all, paused := newSum(), 0
	for namespace, s := range m.sums() {
		for state, n := range s.experiments {
			all.experiments[state] += n - s.paused[state]
			paused += s.paused[state]
			set(katibExperiments, float64(n), namespace, string(state))
		}
		for i, n := range s.trials {
			all.trials[i] += n
			if n > 0 {
				set(katibTrials, float64(n), namespace, condition(trialStates[i]))
			}
		}
	}
	for _, state := range experimentStates {
		set(experiments, float64(all.experiments[state]), string(state))
	}
	set(experiments, float64(paused), "Paused")
	for i, state := range trialStates {
		set(trials, float64(all.trials[i]), string(state))
	}
}

// condition is Katib's name of a trial's state.
func condition(s experiment.TrialState) string {
	if s == experiment.TrialPending {
		return "Created"
	}
	return string(s)
}
