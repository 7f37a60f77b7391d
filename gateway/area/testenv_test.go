package area_test

import (
	"os"
	"path/filepath"
	"testing"

	"loa/configs"
	"loa/gateway/area"
)

// sharedData is the path of a file of the data collection that stands beside
// the checkout; without it the test is skipped, but never in CI.
func sharedData(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(moduleRoot(t), "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the data collection must stand beside the checkout in CI: %v", err)
		}
		t.Skipf("no data collection beside the checkout: %v", err)
	}
	return path
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

func load(t testing.TB) *area.Directory {
	t.Helper()
	d, err := area.Load(configs.Areas)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shippedFile(t testing.TB, name string) string {
	t.Helper()
	b, err := configs.Areas.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
