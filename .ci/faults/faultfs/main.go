// Command faultfs mounts a folder over another and fails on request, so that a
// test can see what a program does when its disk does.
//
//	faultfs DIR MOUNTPOINT
//
// It reads one command a line from standard input and answers each with one
// line: "ok", then faults met since the last command.
//
//	heal            everything works
//	fsync eio       fsync and fdatasync fail with EIO
//	fsync stall 3s  they take that long
//	write eio       writes fail with EIO
//	write enospc    writes fail with ENOSPC
//
// It ends when standard input does.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
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
	inode, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, n.faulty(f), fuseFlags, errno
}

func (n *node) faulty(f fs.FileHandle) fs.FileHandle {
	if inner, ok := f.(*fs.LoopbackFile); ok {
		return &file{inner, n.faults}
	}
	return f
}

// file is an open file whose disk may fail.
type file struct {
	*fs.LoopbackFile
	faults *faults
}

// PassthroughFd keeps the kernel from writing past us.
func (f *file) PassthroughFd() (int, bool) { return 0, false }

func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if d := time.Duration(f.faults.stall.Load()); d > 0 {
		f.faults.met.Add(1)
		time.Sleep(d)
	}
	if e := f.faults.fsync.Load(); e != 0 {
		f.faults.met.Add(1)
		return syscall.Errno(e)
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

func (f *file) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if e := f.faults.write.Load(); e != 0 {
		f.faults.met.Add(1)
		return 0, syscall.Errno(e)
	}
	return f.LoopbackFile.Write(ctx, data, off)
}

// set carries out one command.
func (f *faults) set(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) == 1 && words[0] == "heal":
		f.fsync.Store(0)
		f.write.Store(0)
		f.stall.Store(0)
	case len(words) == 2 && words[0] == "fsync" && words[1] == "eio":
		f.fsync.Store(int64(syscall.EIO))
	case len(words) == 3 && words[0] == "fsync" && words[1] == "stall":
		d, err := time.ParseDuration(words[2])
		if err != nil {
			return err
		}
		f.stall.Store(int64(d))
	case len(words) == 2 && words[0] == "write" && words[1] == "eio":
		f.write.Store(int64(syscall.EIO))
	case len(words) == 2 && words[0] == "write" && words[1] == "enospc":
		f.write.Store(int64(syscall.ENOSPC))
	default:
		return fmt.Errorf("%q is no command", command)
	}
	return nil
}

func run(dir, mountpoint string) error {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	f := &faults{}
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
		if err := f.set(in.Text()); err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println("ok", f.met.Swap(0))
	}
	err = syscall.Unmount(mountpoint, syscall.MNT_DETACH)
	server.Wait()
	return err
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: faultfs DIR MOUNTPOINT")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}
