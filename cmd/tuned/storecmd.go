package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Back up what is stored, and make a store of a backup",
		Long:  `Back up what is stored, also while a daemon uses it, and make a store of a backup.`,
		Args:  cobra.ArbitraryArgs, // which are refused with the nearest name
		RunE: func(_ *cobra.Command, args []string) error {
			near := ""
			if len(args) > 0 {
				near = didYouMean(experiment.Nearest(args[0], []string{"backup", "restore", "verify", "info"}))
			}
			return usage("store: want backup, restore, verify or info%s; see `tuned store --help`", near)
		},
	}
	c.AddCommand(a.storeBackupCommand(), a.storeRestoreCommand(), a.storeVerifyCommand(), a.storeInfoCommand())
	return c
}

func (a *app) storeBackupCommand() *cobra.Command {
	var p place
	var force bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that is stored to a file, as it is at one moment",
		Long: `Write all that is stored, experiments, trials, measurements and events, to a file, as it is at one
moment; a daemon goes on meanwhile. - is standard output. A file that has something in it is replaced
with --force alone. What trials printed is not in it. Secrets that
experiments hold are in it as they are: the file is made for its owner alone, and is to be kept like a password.`,
		Args: words(1, 1, "FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return doing("back up", a.backup(c.Context(), &p, args[0], force))
		},
	}
	p.connectionFlags(c, a.getenv)
	c.Flags().BoolVar(&force, "force", false, "replace a FILE that has something in it")
	return c
}

func (a *app) backup(ctx context.Context, p *place, file string, force bool) error {
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Size() > 0 && !force {
		return usage("%s: %w; give another FILE, or --force to replace it", file, fs.ErrExist)
	}
	err := a.writeTo(file, secretFile, func(to io.Writer) error { return p.backup(ctx, to) })
	if err == nil && file != "-" {
		fmt.Fprintf(a.stdout, "%s written; tuned store verify checks it\n", file)
	}
	return err
}

// backup writes what is stored: through the daemon, or from the data directory at rest.
func (p *place) backup(ctx context.Context, to io.Writer) error {
	if p.address() == "" {
		d, err := p.dir()
		if err != nil {
			return err
		}
		if !d.served() {
			s, err := openStore(ctx, d, badger.Options{ReadOnly: true})
			if err == nil {
				return errors.Join(s.Backup(ctx, to), s.Close())
			}
			if !errors.Is(err, store.ErrLocked) || !d.served() {
				return err
			}
		}
	}
	return p.download(ctx, backupPath, to)
}

// backupPath is where the daemon gives its backup.
const backupPath = "/api/v1/backup"

// giveBackup is the daemon's side. A backup that fails half way is cut off, which the reader sees.
func giveBackup(s *badger.Store) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/gzip")
		w.Header().Set("Content-Disposition", `attachment; filename="tuned-backup.gz"`)
		if err := s.Backup(r.Context(), w); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func (a *app) storeRestoreCommand() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make the store of a new data directory of a backup",
		Long: `Make the store of a data directory that has none of a backup. FILE is what tuned store backup
wrote; - is standard input.`,
		Args: words(1, 1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return doing("restore", a.restore(&p, args[0]))
		},
	}
	p.dataFlag(c, a.getenv)
	return c
}

func (a *app) restore(p *place, file string) error {
	if p.dataDir == "" {
		return usage("find data directory: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	}
	d := dataDir(absolute(p.dataDir))
	if err := d.create(); err != nil {
		return err
	}
	err := a.withFile(file, func(from io.Reader) error { return doing("restore "+file, badger.Restore(d.store(), from)) })
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("restore %s: %s is not empty; give another --data-dir", file, d.store())
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s restored; %s goes on with it\n", d, hint(append([]string{"serve"}, p.whereData()...)...))
	return nil
}

// withFile opens a file, "-" being standard input.
func (a *app) withFile(file string, f func(from io.Reader) error) error {
	if file == "-" {
		return f(a.stdin)
	}
	from, err := os.Open(file)
	if err != nil {
		return usage("%w", err)
	}
	defer from.Close()
	return f(from)
}

func (a *app) storeVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a backup is whole and sound",
		Long: `Check that a backup is whole and sound, by making a store of it in a folder for temporary files
and looking for broken invariants in that.`,
		Args: words(1, 1, "FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return doing("verify", a.verify(c.Context(), args[0]))
		},
	}
}

func (a *app) verify(ctx context.Context, file string) (err error) {
	dir, err := os.MkdirTemp("", "tuned-verify")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := dataDir(dir)
	err = a.withFile(file, func(from io.Reader) error { return doing("verify "+file, badger.Restore(d.store(), from)) })
	if err != nil {
		return err
	}
	s, err := badger.Open(d.store(), badger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	known := store.Workloads{}
	for _, e := range list {
		known[e.Key()] = nil
	}
	findings, err := s.Check(ctx, known)
	for _, f := range findings {
		fmt.Fprintln(a.stdout, f)
	}
	if err == nil && len(findings) > 0 {
		return fmt.Errorf("findings above: %d", len(findings))
	}
	if err == nil {
		fmt.Fprintf(a.stdout, "ok: %s\n", plural(len(list), "experiment"))
	}
	return err
}

// storeInfo is what tuned store info says.
type storeInfo struct {
	Dir         string `json:"dir"`
	Served      bool   `json:"served"` // a daemon has it
	Experiments int    `json:"experiments"`
	Trials      uint32 `json:"trials"`
	StoreBytes  int64  `json:"storeBytes"`
	LogBytes    int64  `json:"logBytes"`  // of the trials' folders
	FreeBytes   uint64 `json:"freeBytes"` // of the disk, for this user
	FileSystem  string `json:"fileSystem"`
}

func (a *app) storeInfoCommand() *cobra.Command {
	var p place
	var format string
	c := &cobra.Command{
		Use:   "info",
		Short: "Say what a data directory holds, and how large it is",
		Args:  words(0, 0, "no words"),
		RunE: func(c *cobra.Command, _ []string) error {
			info, err := p.info(c.Context())
			if err != nil {
				return doing("look at store", err)
			}
			return a.printInfo(&info, format)
		},
	}
	p.dataFlag(c, a.getenv)
	formatFlag(c, &format, printing(shapeOf[storeInfo]()), "table", "json", "yaml", "csv", jsonPath)
	return c
}

func (a *app) printInfo(info *storeInfo, format string) error {
	switch format {
	case "table":
	case "csv":
		return tableOf(*info).print(a.stdout, format)
	default:
		return printAs(a.stdout, format, info)
	}
	printRows(a.stdout, [][2]string{
		{"Directory", info.Dir},
		{"Served", map[bool]string{true: "yes, by a daemon", false: "no"}[info.Served]},
		{"Experiments", fmt.Sprint(info.Experiments)},
		{"Trials", fmt.Sprint(info.Trials)},
		{"Store", fmt.Sprintf("%d KiB", info.StoreBytes>>10)},
		{"Trial logs", fmt.Sprintf("%d KiB", info.LogBytes>>10)},
		{"Disk", fmt.Sprintf("%s, %d MiB free", info.FileSystem, info.FreeBytes>>20)},
	})
	return nil
}

func (p *place) info(ctx context.Context) (info storeInfo, err error) {
	d, err := p.dir()
	if err != nil {
		return info, err
	}
	info.Dir = string(d)
	err = p.reading(ctx, func(c *client) error {
		info.Served = c.daemon
		list, err := c.list(ctx, "")
		info.Experiments, info.Trials = len(list), 0
		for _, e := range list {
			info.Trials += e.GetCounts().GetTrials()
		}
		return err
	})
	if err != nil {
		return info, err
	}
	info.StoreBytes, info.LogBytes = sizeOf(d.store()), sizeOf(d.trials())
	var s unix.Statfs_t
	if err := unix.Statfs(string(d), &s); err != nil {
		return info, err
	}
	on, err := badger.FileSystemOf(string(d))
	info.FreeBytes, info.FileSystem = s.Bavail*uint64(s.Bsize), on.Name
	return info, err
}

// sizeOf returns what the files of a folder take on the disk, in bytes. What goes meanwhile is not counted.
func sizeOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error { // what cannot be read takes nothing
		var s unix.Stat_t
		if err == nil && entry.Type().IsRegular() && unix.Lstat(path, &s) == nil {
			const block = 512 // bytes, as stat(2) counts
			size += s.Blocks * block
		}
		return nil
	})
	return size
}
