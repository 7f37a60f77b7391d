package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

const sector = 512

// volume remembers what a power cut may take away: every change of a file
// since its last fsync, and every change of a folder since its own.
type volume struct {
	mu    sync.Mutex
	dead  bool
	disks map[uint64]*disk // by inode
	dirs  map[string][]entry
	gone  int
	turns int
}

// disk is the unsynced part of one file.
type disk struct {
	f       *os.File
	changes []change
}

// change is one write or, without bytes, one truncation.
type change struct {
	off              int64
	before, after    []byte
	sizeWas, sizeNow int64
}

// entry is one unsynced change of a folder.
type entry struct {
	turn   int // among those of all folders: a file may be renamed into another
	undo   func() error
	settle func() error // once it is durable
}

func newVolume() *volume {
	return &volume{disks: map[uint64]*disk{}, dirs: map[string][]entry{}}
}

func (v *volume) open(ino uint64, path string) (*disk, error) {
	if d := v.disks[ino]; d != nil {
		return d, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	d := &disk{f: f}
	v.disks[ino] = d
	return d, nil
}

func (d *disk) size() (int64, error) {
	info, err := d.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// write makes a write that only a fsync makes last.
func (v *volume) write(ino uint64, path string, data []byte, off int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return syscall.EIO
	}
	d, err := v.open(ino, path)
	if err != nil {
		return err
	}
	size, err := d.size()
	if err != nil {
		return err
	}
	before := make([]byte, len(data))
	n, err := d.f.ReadAt(before, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c := change{off: off, before: before[:n], after: slices.Clone(data), sizeWas: size, sizeNow: max(size, off+int64(len(data)))}
	if _, err := d.f.WriteAt(data, off); err != nil {
		return err
	}
	d.changes = append(d.changes, c)
	return nil
}

// truncate changes a file's size likewise.
func (v *volume) truncate(ino uint64, path string, size int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return syscall.EIO
	}
	d, err := v.open(ino, path)
	if err != nil {
		return err
	}
	was, err := d.size()
	if err != nil {
		return err
	}
	c := change{off: size, sizeWas: was, sizeNow: size}
	if was > size {
		c.before = make([]byte, was-size)
		if _, err := d.f.ReadAt(c.before, size); err != nil {
			return err
		}
	}
	if err := d.f.Truncate(size); err != nil {
		return err
	}
	d.changes = append(d.changes, c)
	return nil
}

// sync makes a file's changes last.
func (v *volume) sync(ino uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return syscall.EIO
	}
	if d := v.disks[ino]; d != nil {
		d.changes = nil
	}
	return nil
}

// created, removed and renamed are changes of a folder.
func (v *volume) created(path string) error {
	return v.enter(filepath.Dir(path), func() (entry, error) {
		return entry{undo: func() error {
			err := os.Remove(path)
			if errors.Is(err, os.ErrNotExist) {
				return nil // it was renamed into another folder, and that lasts
			}
			return err
		}}, nil
	})
}

func (v *volume) removed(path string) error {
	return v.enter(filepath.Dir(path), func() (entry, error) {
		grave := v.grave(path)
		return entry{
			undo:   func() error { return os.Rename(grave, path) },
			settle: func() error { return os.Remove(grave) },
		}, os.Rename(path, grave)
	})
}

func (v *volume) renamed(from, to string) error {
	return v.enter(filepath.Dir(to), func() (entry, error) {
		grave := v.grave(to)
		covered := os.Rename(to, grave) == nil
		e := entry{undo: func() error {
			err := os.Rename(to, from)
			if covered {
				err = errors.Join(err, os.Rename(grave, to))
			}
			return err
		}}
		if covered {
			e.settle = func() error { return os.Remove(grave) }
		}
		return e, os.Rename(from, to)
	})
}

func (v *volume) grave(path string) string {
	v.gone++
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".gone-%d", v.gone))
}

func (v *volume) enter(dir string, do func() (entry, error)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return syscall.EIO
	}
	e, err := do()
	if err == nil {
		v.turns++
		e.turn = v.turns
		v.dirs[dir] = append(v.dirs[dir], e)
	}
	return err
}

// syncDir makes a folder's changes last.
func (v *volume) syncDir(dir string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return syscall.EIO
	}
	err := settle(v.dirs[dir])
	delete(v.dirs, dir)
	return err
}

func settle(es []entry) error {
	var errs []error
	for _, e := range es {
		if e.settle != nil {
			errs = append(errs, e.settle())
		}
	}
	return errors.Join(errs...)
}

// cut takes the power away: no change works any more, and of those that were
// not synced chance decides. It counts those that are lost.
func (v *volume) cut(seed uint64) (lost int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dead {
		return 0, errors.New("the power is off")
	}
	v.dead = true
	random := rand.New(rand.NewPCG(seed, 0))
	for _, ino := range slices.Sorted(maps.Keys(v.disks)) {
		n, e := v.disks[ino].cut(random)
		lost, err = lost+n, errors.Join(err, e)
	}
	var undone []entry
	for _, dir := range slices.Sorted(maps.Keys(v.dirs)) {
		es := v.dirs[dir]
		kept := random.IntN(len(es) + 1)
		undone = append(undone, es[kept:]...)
		err = errors.Join(err, settle(es[:kept]))
	}
	slices.SortFunc(undone, func(a, b entry) int { return b.turn - a.turn })
	for _, e := range undone {
		err = errors.Join(err, e.undo())
	}
	return lost + len(undone), err
}

// cut undoes a file's changes and makes some of them again: none, all, or any,
// whole or up to the end of a sector.
func (d *disk) cut(random *rand.Rand) (lost int, err error) {
	for _, c := range slices.Backward(d.changes) {
		if _, e := d.f.WriteAt(c.before, c.off); e != nil {
			err = errors.Join(err, e)
		}
		err = errors.Join(err, d.f.Truncate(c.sizeWas))
	}
	mood := random.IntN(3)
	for _, c := range d.changes {
		keep := c.after
		switch {
		case mood == 1:
		case mood == 0 || random.IntN(2) == 0:
			lost++
			continue
		case len(keep) > sector && random.IntN(4) == 0:
			lost++
			keep = keep[:(1+random.IntN(len(keep)/sector))*sector]
		}
		if c.after == nil {
			err = errors.Join(err, d.f.Truncate(c.sizeNow))
			continue
		}
		_, e := d.f.WriteAt(keep, c.off)
		err = errors.Join(err, e)
	}
	return lost, errors.Join(err, d.f.Close())
}
