package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// SQLite's pages carry no checksum. Beside the file stands one with a CRC-32C
// of each page, as it was last copied from the log (WAL). It is written, and
// synced, after a checkpoint and before the log can start anew: until then the
// pages that a crash may leave without their sum all stand in the log, which
// has checksums of its own.
//
// Layout: 16 bytes of head (the magic, the page size, zeros), then for each
// page 4 bytes of its sum and 4 that prove the entry itself.
const (
	sumsMagic = "LOASUMS1"
	sumsHead  = 16
	sumsEntry = 8
	sqlHead   = 100 // of the database's file
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SumsPath is where the sums of a ledger's pages are kept. Whoever puts another
// file in the ledger's place removes them: the next start checks the file's
// structure instead, and makes them anew.
func SumsPath(ledger string) string { return ledger + ".sums" }

// sum is what is known of one page.
type sum struct {
	crc   uint32
	known bool
}

func (s sum) put(b []byte, page int) {
	if !s.known {
		clear(b[:sumsEntry])
		return
	}
	binary.BigEndian.PutUint32(b, s.crc)
	binary.BigEndian.PutUint32(b[4:], ^s.crc^uint32(page)) //nolint:gosec // SQLite numbers pages with 32 bits
}

func getSum(b []byte, page int) sum {
	crc := binary.BigEndian.Uint32(b)
	return sum{crc, binary.BigEndian.Uint32(b[4:]) == ^crc^uint32(page)} //nolint:gosec // see put
}

// sums holds the sums of an open ledger.
type sums struct {
	path string // of the database

	mu     turn     // held by whatever changes pages of the file
	size   int      // of a page
	pages  []sum    // the truth while we run
	db     *os.File // open as long as SQLite's handles: closing it ends their locks
	file   *os.File // nil: to be written whole
	unsure bool     // a checkpoint failed: pages may be ahead of their sums
	dirty  bool     // written and not synced
	log    *os.File
	folded int    // frames of the log whose sums are known
	salt   string // of that log
}

// openSums reads the sums of a ledger that nobody has open, and holds every
// page of its file against them. checked says that this was possible; without
// it the file's structure must be checked, and the sums be made.
func openSums(path string) (s *sums, checked bool, err error) {
	s = &sums{path: path, mu: newTurn()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.db, err = os.Open(path); errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the data folder is the operator's
		s.db = nil
		return s, true, dropSums(path) // a new ledger: there is nothing to check
	}
	if err != nil {
		return s, false, err
	}
	if s.size, err = pageSize(s.db); err != nil || s.size == 0 {
		return s, false, err
	}
	src, err := os.ReadFile(SumsPath(path)) //nolint:gosec // see above
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	if len(src) < sumsHead || string(src[:8]) != sumsMagic || int(binary.BigEndian.Uint32(src[8:])) != s.size {
		return s, false, nil
	}
	for i := sumsHead; i+sumsEntry <= len(src); i += sumsEntry {
		s.pages = append(s.pages, getSum(src[i:], len(s.pages)+1))
	}
	checked, err = s.verify()
	if err == nil && checked {
		s.file, err = os.OpenFile(SumsPath(path), os.O_RDWR, 0) //nolint:gosec // see above
	}
	return s, checked, err
}

// pageSize reads the size of a page from the head of a database's file; 0: it
// is empty.
func pageSize(f *os.File) (int, error) {
	var head [sqlHead]byte
	n, err := f.ReadAt(head[:], 0)
	if n == 0 && errors.Is(err, io.EOF) {
		return 0, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(head[16:]))
	if size == 1 {
		size = 65536
	}
	if n < sqlHead || size < 512 || size&(size-1) != 0 {
		return 0, fmt.Errorf("%w: its head is not that of a database", ErrCorrupt)
	}
	return size, nil
}

// verify holds all pages against their sums, but for those that the log holds.
func (s *sums) verify() (all bool, err error) {
	exempt, err := committedPages(s.path + "-wal")
	if err != nil {
		return false, err
	}
	all = true
	bad, first := 0, 0
	page, buf := 0, make([]byte, 256*s.size)
	for {
		n, err := io.ReadFull(s.db, buf)
		for b := range slices.Chunk(buf[:n], s.size) {
			page++
			switch {
			case exempt[uint32(page)]: //nolint:gosec // SQLite numbers pages with 32 bits
			case page > len(s.pages) || !s.pages[page-1].known:
				all = false
			case crc32.Checksum(b, castagnoli) != s.pages[page-1].crc:
				if bad++; bad == 1 {
					first = page
				}
			}
		}
		if end(err) != nil {
			return false, err
		}
		if err != nil {
			break
		}
	}
	for p := page + 1; p <= len(s.pages); p++ {
		if s.pages[p-1].known && !exempt[uint32(p)] {
			if bad++; bad == 1 {
				first = p
			}
		}
	}
	if bad > 0 {
		return false, s.damage(bad, len(s.pages), first)
	}
	return all, nil
}

// damage names the way out: whoever opens the file with SQLite after a crash
// folds the log into it, and knows nothing of sums.
func (s *sums) damage(bad, of, first int) error {
	return fmt.Errorf("%w: %d of %d pages of %s are not what was written (the first is page %d); only if another program has opened that file, such as an SQLite shell, stop loa, delete %s and start it: the file's structure is checked then",
		ErrCorrupt, bad, of, s.path, first, SumsPath(s.path))
}

// dropSums removes the sums of a ledger.
func dropSums(path string) error {
	if err := os.Remove(SumsPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the data folder is the operator's
		return err
	}
	return nil
}

// make sums the file as it is. Nobody may be changing it.
func (s *sums) make() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		if s.db, err = os.Open(s.path); err != nil {
			return err
		}
	}
	if s.size, err = pageSize(s.db); err != nil || s.size == 0 {
		return err
	}
	info, err := s.db.Stat()
	if err != nil {
		return err
	}
	s.pages = make([]sum, info.Size()/int64(s.size))
	if err := s.fill(); err != nil {
		return err
	}
	return s.rewrite()
}

// fill sums the pages of the file that are not known.
func (s *sums) fill() error {
	buf := make([]byte, s.size)
	for i := range s.pages {
		if s.pages[i].known {
			continue
		}
		if _, err := s.db.ReadAt(buf, int64(i)*int64(s.size)); err != nil {
			return err
		}
		s.pages[i] = sum{crc32.Checksum(buf, castagnoli), true}
	}
	return nil
}

// rewrite puts a whole new file in the place of the old one.
func (s *sums) rewrite() error {
	b := make([]byte, sumsHead+sumsEntry*len(s.pages))
	copy(b, sumsMagic)
	binary.BigEndian.PutUint32(b[8:], uint32(s.size)) //nolint:gosec // at most 65536
	for i, p := range s.pages {
		p.put(b[sumsHead+sumsEntry*i:], i+1)
	}
	path := SumsPath(s.path)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(err, f.Close(), dropSums(s.path))
	}
	if s.file != nil {
		_ = s.file.Close() // it has no name any more
	}
	s.file, s.dirty = f, false
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the data folder is the operator's
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close closes the files. SQLite's handles must be closed.
func (s *sums) close() {
	for _, f := range []*os.File{s.db, s.log, s.file} {
		if f != nil {
			_ = f.Close() // all that matters was synced
		}
	}
}
