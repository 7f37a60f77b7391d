package face

import (
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
)

// Assets are the files that pages load, served by their name (the path value
// "name"). Version changes with every file that the pages are made of.
type Assets struct {
	Version string

	of map[string]asset
}

type asset struct {
	*Answer

	mime string
}

// ReadAssets loads files by name, with their media types. pages are the names of
// other files that the pages are made of, and deployment where they are shown.
func ReadAssets(files fs.FS, types map[string]string, pages []string, deployment string) (*Assets, error) {
	a := &Assets{of: map[string]asset{}}
	parts := [][]byte{[]byte(deployment)}
	for _, name := range slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(pages), maps.Keys(types)))) {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, raw)
		mime, ok := types[name]
		if !ok {
			continue
		}
		out, err := Pack(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		a.of[name] = asset{out, mime}
	}
	a.Version = Sum(parts...)
	return a, nil
}

// ServeHTTP serves one file; a link that carries the version may be kept for a
// year.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one, ok := a.of[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", one.mime)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.Version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("ETag", one.ETag)
	if Matches(r.Header.Get("If-None-Match"), one.ETag) {
		h.Set("Vary", "Accept-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	Send(w, r, http.StatusOK, one.Answer)
}
