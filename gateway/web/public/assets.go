package public

import (
	"fmt"
	"io/fs"
	"net/http"
)

// asset is a file that pages load.
type asset struct {
	*answer
	mime string
}

var assetTypes = map[string]string{
	"page.css": "text/css; charset=utf-8",
	"live.js":  "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

// readAssets loads the assets and makes the version: it changes with every
// file that the page is made of and with the deployment.
func readAssets(files fs.FS, deployment string) (map[string]asset, string, error) {
	all := map[string]asset{}
	parts := [][]byte{[]byte(deployment)}
	for _, name := range []string{"icon.svg", "live.html", "live.js", "page.css", "page.html", "texts.csv"} {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, "", fmt.Errorf("live page: %w", err)
		}
		parts = append(parts, raw)
		mime, ok := assetTypes[name]
		if !ok {
			continue
		}
		out, err := pack(raw)
		if err != nil {
			return nil, "", fmt.Errorf("live page: %s: %w", name, err)
		}
		all[name] = asset{out, mime}
	}
	return all, sum(parts...), nil
}

// asset serves one file; a link that carries the version may be kept for a year.
func (p *Page) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mime)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == p.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("ETag", a.etag)
	if matches(r.Header.Get("If-None-Match"), a.etag) {
		h.Set("Vary", "Accept-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, http.StatusOK, a.answer)
}
