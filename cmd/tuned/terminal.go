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
	v.program = tea.NewProgram(picture{width: 80}, options...)
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
		m.width = max(20, msg.Width)
	}
	return m, nil
}

// View draws the picture.
func (m picture) View() tea.View {
	v := tea.NewView("")
	if m.have {
		v = tea.NewView(draw(&m.progress, m.age, m.width))
	}
	v.DisableBracketedPasteMode = true
	return v
}

// draw returns the picture of a progress that is age old, width columns wide.
func draw(p *progress, age time.Duration, width int) string {
	title := fmt.Sprintf("%s  %s %s", p.Key.Name, p.Objective.Type, p.Objective.ObjectiveMetricName)
	if p.Objective.Goal != nil {
		title += fmt.Sprintf(" to %s", exact(*p.Objective.Goal))
	}
	rows := []string{boldStyle.Render(title), bestRow(p), countsRow(p, age), barRow(p, width)}
	if len(p.Values) > 0 {
		rows = append(rows, busyStyle.Render(sparkline(bestSoFar(p.Values, p.better), width-2)))
	}
	for i := max(0, p.Done-shownTrials); i < p.Done; i++ {
		row := trialLine(p, i)
		if failed(p.Finished[i].State) {
			row = badStyle.Render(row)
		} else {
			row = faintStyle.Render(row)
		}
		rows = append(rows, row)
	}
	line := lipgloss.NewStyle().MaxWidth(width)
	for i := range rows {
		rows[i] = line.Render(rows[i])
	}
	return strings.Join(rows, "\n") + "\n"
}

func bestRow(p *progress) string {
	if p.Best == nil {
		return faintStyle.Render("no result yet")
	}
	value := goodStyle.Bold(true).Render(fmt.Sprintf("%s=%s", p.Objective.ObjectiveMetricName, short(p.BestValue)))
	return "best " + value + "  " + flags(p.Best.Assignment) + faintStyle.Render("  "+p.Best.Name)
}

func countsRow(p *progress, age time.Duration) string {
	done := fmt.Sprint(p.Done)
	if p.Budget > 0 {
		done += fmt.Sprintf("/%d", p.Budget)
	}
	row := fmt.Sprintf("%s done, %d running, %d failed  %s", done, p.Running, p.Failed, clock(p.Elapsed+age))
	if p.ETAKnown {
		row += ", about " + clock(p.ETA-age) + " left"
	}
	return row
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
