package standin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func entries(b *Books) (all []Entry) {
	for e := range b.All() {
		all = append(all, e)
	}
	return all
}

// An entry is in the file before its sender is answered.
func TestBooksAreDurableBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "books.jsonl")
	c, base := open(t, func(o *Options) { o.BooksFile = path })
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			_, _, answer := post(t, base, form(url.Values{"To": {fmt.Sprintf("+8491%07d", i)}}))
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			if id, ok := answer["sid"].(string); !ok || !strings.Contains(string(raw), id) {
				t.Errorf("message %v was answered before it was in the books", answer["sid"])
			}
		})
	}
	all.Wait()
	if c.Books().Len() != 200 {
		t.Errorf("%d entries", c.Books().Len())
	}
	read, err := ReadBooks(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries(c.Books()), read); diff != "" {
		t.Errorf("file and memory differ (-memory +file):\n%s", diff)
	}
}

// A carrier killed in the middle of a line loses only that line, and goes on
// in the same file without using an identifier twice.
func TestBooksSurviveACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "books.jsonl")
	write := func(n int) {
		c, err := New(Options{AccountSID: sid, AuthToken: token, BooksFile: path, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := c.take(form(nil), 0, 0, http.StatusCreated); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(3)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw[:len(raw)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	write(2)
	all, err := ReadBooks(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.SID] {
			t.Errorf("%s stands twice", e.SID)
		}
		seen[e.SID] = true
	}
	if len(all) != 4 {
		t.Errorf("%d entries, want 2 of the first run and 2 of the second", len(all))
	}
}

// A message that cannot be entered is not taken.
func TestBooksThatFail(t *testing.T) {
	t.Parallel()
	c, err := New(Options{AccountSID: sid, AuthToken: token, BooksFile: filepath.Join(t.TempDir(), "books.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.books.file.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(form(nil).Encode()))
	r.SetBasicAuth(sid, token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || c.Stats().Accepted != 0 {
		t.Errorf("answered %d, %+v", w.Code, c.Stats())
	}
	if err := c.Close(); err == nil {
		t.Error("closing said nothing of books that failed")
	}
	if _, err := c.take(form(nil), 0, 0, http.StatusCreated); err == nil {
		t.Error("a closed carrier took a message")
	}
}

func BenchmarkCreate(b *testing.B) {
	for name, file := range map[string]bool{"memory": false, "file": true} {
		b.Run(name, func(b *testing.B) {
			opt := Options{AccountSID: sid, AuthToken: token}
			if file {
				opt.BooksFile = filepath.Join(b.TempDir(), "books.jsonl")
			}
			c, err := New(opt)
			if err != nil {
				b.Fatal(err)
			}
			server := httptest.NewServer(c)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			body := form(nil).Encode()
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/2010-04-01/Accounts/"+sid+"/Messages.json", strings.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					req.SetBasicAuth(sid, token)
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					res, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					if res.Body.Close() != nil || res.StatusCode != http.StatusCreated {
						b.Errorf("answered %d", res.StatusCode)
					}
				}
			})
			b.StopTimer()
			client.CloseIdleConnections()
			server.Close()
			if err := c.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
