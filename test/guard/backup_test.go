package guard_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackupIsKilled: whichever dies while a backup is made, the command or the daemon that gives it, under the name of
// the backup there is a whole one or none, and the next one is whole.
func TestBackupIsKilled(t *testing.T) {
	const rows, kills = 20_000, 8
	dir := t.TempDir()
	var table strings.Builder
	table.WriteString("x,loss\n")
	for i := range rows {
		fmt.Fprintf(&table, "%v,%d\n", float64(i+1)/rows, i)
	}
	imported := filepath.Join(dir, "rows.csv")
	write(t, imported, table.String())
	data := filepath.Join(dir, "data")
	d := serve(t, data, os.DevNull)
	d.run(0, "import", imported, "--name", "rows", "--objective", "minimize=loss", "--parameters", "x")
	random := rand.New(rand.NewPCG(1, 2))
	cut := 0
	for i := range kills {
		file := filepath.Join(dir, fmt.Sprintf("backup-%d.gz", i))
		c := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "tuned"), "store", "backup", file, "--data-dir", data)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(random.IntN(150)) * time.Millisecond) // any moment will do
		if i%2 == 0 {
			_ = c.Process.Kill() // it may have ended
		} else {
			d.End(os.Kill)
		}
		ended := c.Wait()
		if i%2 == 1 {
			d = serve(t, data, os.DevNull)
		}
		if _, err := os.Stat(file); err == nil {
			d.run(0, "store", "verify", file)
		} else if cut++; ended == nil {
			t.Errorf("kill %d: the command says that the backup is written, which is not there", i)
		}
		next := filepath.Join(dir, fmt.Sprintf("next-%d.gz", i))
		d.run(0, "store", "backup", next)
		if i == 0 || i == kills-1 {
			d.run(0, "store", "verify", next)
		}
	}
	if cut == 0 {
		t.Error("no kill came before a backup was whole")
	}
	t.Logf("%d of %d backups were cut", cut, kills)
}
