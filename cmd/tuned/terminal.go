package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// shownTrials is how many of the last finished trials the terminal view lists.
const shownTrials = 5

var (
	boldStyle  = lipgloss.NewStyle().Bold(true)
	faintStyle = lipgloss.NewStyle().Faint(true)
	goodStyle  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	busyStyle  = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	badStyle   = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

// terminal shows a picture that is redrawn in place. It reads no keys, so that Ctrl-C remains a
// signal, and stays on the screen when it ends.
type terminal struct {
	program *tea.Program
	done    chan struct{}
}

func newTerminal(out io.Writer, more ...tea.ProgramOption) *terminal {
	v := &terminal{done: make(chan struct{})}
	options := append([]tea.ProgramOption{tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler()}, more...)
	v.program = tea.NewProgram(picture{width: 80, height: 24}, options...)
	return v
}

func (v *terminal) begin(p progress) {
	go func() {
		defer close(v.done)
		_, _ = v.program.Run() // without a picture the result is still printed
	}()
	v.change(p)
}

func (v *terminal) change(p progress) { v.program.Send(p) }

func (v *terminal) end() {
	v.program.Quit()
	<-v.done
}

// picture is the model of the terminal view: the last progress and when it was received.
type picture struct {
	progress progress
	have     bool
	age      time.Duration // since progress was computed
	width    int           // columns
	height   int           // rows
}

type tick struct{}

func everySecond() tea.Cmd {
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return tick{} })
}

// Init starts the clock.
func (m picture) Init() tea.Cmd { return everySecond() }

// Update takes in progress, the passing of time and the terminal's size.
func (m picture) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case progress:
		m.progress, m.have, m.age = msg, true, 0
	case tick:
		m.age += time.Second
		return m, everySecond()
	case tea.WindowSizeMsg:
		m.width, m.height = max(20, msg.Width), msg.Height
		return m, tea.ClearScreen // lines that the terminal wrapped anew cannot be found again
	}
	return m, nil
}

// View draws the picture.
func (m picture) View() tea.View {
	v := tea.NewView("")
	if m.have {
		v = tea.NewView(draw(&m.progress, m.age, m.width, m.height))
	}
	v.DisableBracketedPasteMode = true
	return v
}

// draw returns the picture of a progress that is age old, width columns wide and less than height
// rows high. What matters least is left out first: trials, then curve and bar.
func draw(p *progress, age time.Duration, width, height int) string {
	title := fmt.Sprintf("%s  %s %s", p.Key.Name, p.Objective.Type, p.Objective.ObjectiveMetricName)
	if p.Objective.Goal != nil {
		title += fmt.Sprintf(" to %s", exact(*p.Objective.Goal))
	}
	for _, o := range p.Spec.Objectives()[1:] {
		title += fmt.Sprintf(", %s %s", o.Type, o.MetricName)
	}
	rows := append([]string{boldStyle.Render(visible(title))}, bestRows(p, width, height)...)
	rows = append(rows, countsRows(p, age, width)...)
	if draining := drainLine(p); draining != "" {
		rows = append(rows, draining)
	}
	if p.Trouble != "" {
		rows = append(rows, badStyle.Render(troubleLine(p)))
	}
	if p.Budget > 0 {
		rows = append(rows, barRow(p, width))
	}
	if len(p.Values) > 0 {
		rows = append(rows, busyStyle.Render(sparkline(bestSoFar(p.Values, p.better), width-2)))
	}
	room := max(1, height-1) // the cursor stands in the last row
	for i := max(0, p.Done-min(shownTrials, max(0, room-len(rows)))); i < p.Done; i++ {
		rows = append(rows, trialRow(p, i))
	}
	rows = rows[:min(room, len(rows))]
	line := lipgloss.NewStyle().MaxWidth(width)
	for i := range rows {
		rows[i] = line.Render(rows[i])
	}
	return strings.Join(rows, "\n") + "\n"
}

// trialRow is a finished trial; its end is cut off in a narrow terminal, parameters first.
func trialRow(p *progress, i int) string {
	style := faintStyle
	if failed(p.Finished[i].State) {
		style = badStyle
	}
	return style.Render(trialLine(p, i))
}

// bestRows are the best value and, in a second row when one is too narrow and there is room, where it
// was found.
func bestRows(p *progress, width, height int) []string {
	switch {
	case p.Best == nil && p.Infeasible > 0:
		return []string{badStyle.Render(noneFeasible(p.Infeasible))}
	case p.Best == nil:
		return []string{faintStyle.Render("no result yet")}
	}
	value := goodStyle.Bold(true).Render(fmt.Sprintf("%s=%s", visible(p.Objective.ObjectiveMetricName), short(p.BestValue)))
	where := visible(flags(p.Best.Assignment)) + faintStyle.Render("  "+p.Best.Name)
	if p.Front > 0 {
		value += fmt.Sprintf(", front of %d", p.Front)
	}
	rows := inRows("best "+value, "  ", where, width)
	const high = 9 // rows, enough for all but trials
	if height < high {
		rows = rows[:1]
	}
	return rows
}

// inRows joins two texts, or gives each its row when together they are too wide.
func inRows(a, between, b string, width int) []string {
	if joined := a + between + b; lipgloss.Width(joined) <= width {
		return []string{joined}
	}
	return []string{a, "  " + b}
}

func countsRows(p *progress, age time.Duration, width int) []string {
	done := fmt.Sprint(p.Done)
	if p.Budget > 0 {
		done += fmt.Sprintf("/%d", p.Budget)
	}
	counts := fmt.Sprintf("%s done, %d running, %d failed", done, p.Running, p.Failed)
	clocks := clock(p.Elapsed + age)
	if left := etaText(p.ETAKnown, p.ETA-age); left != "" {
		clocks += ", about " + left + " left"
	}
	return inRows(counts, "  ", clocks, width)
}

// barRow draws the budget: what ended well, what failed, what runs, what is left.
func barRow(p *progress, width int) string {
	if p.Budget <= 0 {
		return ""
	}
	columns := min(width-2, 60)
	upTo := func(n int) int { return min(n, p.Budget) * columns / p.Budget }
	good := upTo(p.Done - p.Failed)
	bad := upTo(p.Done) - good
	busy := upTo(p.Done+p.Running) - good - bad
	return goodStyle.Render(strings.Repeat("━", good)) + badStyle.Render(strings.Repeat("━", bad)) +
		busyStyle.Render(strings.Repeat("╍", busy)) + faintStyle.Render(strings.Repeat("─", columns-good-bad-busy))
}
