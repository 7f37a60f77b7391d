// Command faultfs mounts a folder over another and fails on request, so that a
// test can see what a program does when its disk does.
//
//	faultfs [-volatile] DIR MOUNTPOINT
//
// It reads one command a line from standard input and answers each with one
// line: "ok", then faults met since the last command.
//
//	heal            everything works
//	fsync eio       fsync and fdatasync fail with EIO
//	fsync stall 3s  they take that long
//	write eio       writes fail with EIO
//	write enospc    writes fail with ENOSPC
//	cut SEED        with -volatile: the power fails; what was not synced may be
//	                lost, in part or torn, and nothing can be changed any more.
//	                Answers "ok" and how many changes are lost
//
// It ends when standard input does.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// faults is what the disk does now.
type faults struct {
	fsync, write atomic.Int64 // an errno; 0: works
	stall        atomic.Int64 // nanoseconds an fsync takes
	met          atomic.Int64
	volume       *volume // nil: what is written lasts
}

type node struct {
	fs.LoopbackNode
	faults *faults
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return n.faulty(f), fuseFlags, errno
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if n.faults.volume != nil {
		if err := n.faults.volume.created(filepath.Join(n.path(), name)); err != nil {
			return nil, nil, 0, fs.ToErrno(err)
		}
	}
	inode, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno == fs.OK {
		f = inode.Operations().(*node).faulty(f)
	}
	return inode, f, fuseFlags, errno
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if n.faults.volume == nil {
		return n.LoopbackNode.Unlink(ctx, name)
	}
	return fs.ToErrno(n.faults.volume.removed(filepath.Join(n.path(), name)))
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	other, ok := to.(*node)
	if n.faults.volume == nil || !ok || flags != 0 {
		return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
	}
	return fs.ToErrno(n.faults.volume.renamed(filepath.Join(n.path(), name), filepath.Join(other.path(), newName)))
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok && n.faults.volume != nil {
		if err := n.faults.volume.truncate(n.StableAttr().Ino, n.path(), int64(size)); err != nil {
			return fs.ToErrno(err)
		}
		in.Valid &^= fuse.FATTR_SIZE
	}
	return n.LoopbackNode.Setattr(ctx, f, in, out)
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if stream, ok := h.(dirHandle); ok && n.faults.volume != nil {
		return &dir{stream, n}, fuseFlags, errno
	}
	return h, fuseFlags, errno
}

// path is where the node stands in the folder below.
func (n *node) path() string { return filepath.Join(n.RootData.Path, n.Path(n.Root())) }

func (n *node) faulty(f fs.FileHandle) fs.FileHandle {
	if inner, ok := f.(*fs.LoopbackFile); ok {
		return &file{inner, n}
	}
	return f
}

type dirHandle interface {
	fs.FileReaddirenter
	fs.FileSeekdirer
	fs.FileReleasedirer
}

// dir is an open folder whose changes last when it is synced.
type dir struct {
	dirHandle
	node *node
}

func (d *dir) Fsyncdir(context.Context, uint32) syscall.Errno {
	return fs.ToErrno(d.node.faults.volume.syncDir(d.node.path()))
}

// file is an open file whose disk may fail.
type file struct {
	*fs.LoopbackFile
	node *node
}

// PassthroughFd keeps the kernel from writing past us.
func (f *file) PassthroughFd() (int, bool) { return 0, false }

func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	faults := f.node.faults
	if d := time.Duration(faults.stall.Load()); d > 0 {
		faults.met.Add(1)
		time.Sleep(d)
	}
	if e := faults.fsync.Load(); e != 0 {
		faults.met.Add(1)
		return syscall.Errno(e)
	}
	if faults.volume != nil {
		return fs.ToErrno(faults.volume.sync(f.node.StableAttr().Ino))
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

func (f *file) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	faults := f.node.faults
	if e := faults.write.Load(); e != 0 {
		faults.met.Add(1)
		return 0, syscall.Errno(e)
	}
	if faults.volume != nil {
		if err := faults.volume.write(f.node.StableAttr().Ino, f.node.path(), data, off); err != nil {
			return 0, fs.ToErrno(err)
		}
		return uint32(len(data)), fs.OK
	}
	return f.LoopbackFile.Write(ctx, data, off)
}

// set carries out one command and answers with a number.
func (f *faults) set(command string) (int64, error) {
	words := strings.Fields(command)
	switch {
	case len(words) == 2 && words[0] == "cut" && f.volume != nil:
		seed, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			return 0, err
		}
		lost, err := f.volume.cut(seed)
		return int64(lost), err
	case len(words) == 1 && words[0] == "heal":
		f.fsync.Store(0)
		f.write.Store(0)
		f.stall.Store(0)
	case len(words) == 2 && words[0] == "fsync" && words[1] == "eio":
		f.fsync.Store(int64(syscall.EIO))
	case len(words) == 3 && words[0] == "fsync" && words[1] == "stall":
		d, err := time.ParseDuration(words[2])
		if err != nil {
			return 0, err
		}
		f.stall.Store(int64(d))
	case len(words) == 2 && words[0] == "write" && words[1] == "eio":
		f.write.Store(int64(syscall.EIO))
	case len(words) == 2 && words[0] == "write" && words[1] == "enospc":
		f.write.Store(int64(syscall.ENOSPC))
	default:
		return 0, fmt.Errorf("%q is no command", command)
	}
	return f.met.Swap(0), nil
}

func run(volatile bool, dir, mountpoint string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	f := &faults{}
	if volatile {
		f.volume = newVolume()
	}
	root := &fs.LoopbackRoot{Path: dir, Dev: uint64(st.Dev)}
	root.NewNode = func(r *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &node{LoopbackNode: fs.LoopbackNode{RootData: r}, faults: f}
	}
	root.RootNode = root.NewNode(root, nil, "", &st)
	server, err := fs.Mount(mountpoint, root.RootNode, &fs.Options{
		MountOptions:    fuse.MountOptions{FsName: "faultfs", Name: "faultfs", DirectMount: true, AllowOther: os.Getuid() == 0},
		NullPermissions: true,
	})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		n, err := f.set(in.Text())
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println("ok", n)
	}
	err = syscall.Unmount(mountpoint, syscall.MNT_DETACH)
	server.Wait()
	return err
}

func main() {
	volatile := flag.Bool("volatile", false, "what is not synced does not survive a cut")
	flag.Parse()
	if flag.NArg() != 2 {
		log.Fatal("usage: faultfs [-volatile] DIR MOUNTPOINT")
	}
	if err := run(*volatile, flag.Arg(0), flag.Arg(1)); err != nil {
		log.Fatal(err)
	}
}
