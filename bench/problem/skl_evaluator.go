package problem

import (
	"bufio"
	_ "embed" // for the program
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

//go:embed skl.py
var sklProgram string

// evaluators are processes of skl.py: as many as evaluations run at the same time. They end with
// this process, when their standard input is closed.
type evaluators struct {
	mu    sync.Mutex
	idle  []*evaluator
	known map[string]sklAnswer // by request
}

// sklEvaluators serve all problems.
var sklEvaluators = evaluators{known: make(map[string]sklAnswer)}

// evaluator is one process.
type evaluator struct {
	requests io.Writer
	answers  *bufio.Reader
}

// sklAnswer is a line of skl.py.
type sklAnswer struct {
	Loss  float64 `json:"loss"`
	Error string  `json:"error"`
}

// sklPython finds the Python that has scikit-learn.
func sklPython() (string, error) {
	python := filepath.Join(cacheFolder(), "problem-skl", "bin", "python3")
	if _, err := os.Stat(python); err != nil {
		return "", errors.New("scikit-learn is not installed: run bench/problem/install skl")
	}
	return python, nil
}

// evaluate asks an idle process, or a new one. False means that the model cannot be fitted with
// these parameters. It panics when the process breaks down, for no result of the bench would be
// worth anything.
func (e *evaluators) evaluate(r sklRequest) (loss float64, ok bool) {
	request, err := json.Marshal(r)
	if err != nil {
		panic("problem: skl: " + err.Error())
	}
	e.mu.Lock()
	answer, known := e.known[string(request)]
	e.mu.Unlock()
	if !known {
		if answer, err = e.ask(request); err != nil {
			panic("problem: skl: " + err.Error())
		}
	}
	return answer.Loss, answer.Error == ""
}

func (e *evaluators) ask(request []byte) (sklAnswer, error) {
	process, err := e.take()
	if err != nil {
		return sklAnswer{}, err
	}
	answer, err := process.ask(request)
	if err != nil {
		return sklAnswer{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle = append(e.idle, process)
	e.known[string(request)] = answer
	return answer, nil
}

// take returns an idle process, or starts one.
func (e *evaluators) take() (*evaluator, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.idle); n > 0 {
		process := e.idle[n-1]
		e.idle = e.idle[:n-1]
		return process, nil
	}
	return startEvaluator()
}

func startEvaluator() (*evaluator, error) {
	python, err := sklPython()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", sklProgram) //nolint:noctx // it ends when its input does
	cmd.Stderr = os.Stderr
	requests, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start skl.py: %w", err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start skl.py: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start skl.py: %w", err)
	}
	return &evaluator{requests, bufio.NewReader(answers)}, nil
}

func (p *evaluator) ask(request []byte) (sklAnswer, error) {
	if _, err := p.requests.Write(append(request, '\n')); err != nil {
		return sklAnswer{}, fmt.Errorf("ask skl.py: %w", err)
	}
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		return sklAnswer{}, fmt.Errorf("ask skl.py: %w", err)
	}
	var answer sklAnswer
	if err := json.Unmarshal(line, &answer); err != nil {
		return sklAnswer{}, fmt.Errorf("read the answer of skl.py: %w", err)
	}
	return answer, nil
}
