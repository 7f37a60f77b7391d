package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestManyBadRows imports a file that is bad from end to end: some rows are
// named, all are listed in a file, and no address is shown.
func TestManyBadRows(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOA_STANDIN_TOKEN", "drilldrilldrilldrilldrilldrill12")
	t.Setenv("LOA_CONFIG", drill(t, dir, "http://127.0.0.1:1"))
	var rows strings.Builder
	for i := range 120 {
		_, _ = fmt.Fprintf(&rows, "sms;0912%06d;99999;vi;duty\n", i)
	}
	file := write(t, filepath.Join(dir, "bad.csv"), strings.ReplaceAll(csvHead, ",", ";")+rows.String())
	list := filepath.Join(dir, "rows.txt")
	out, fault, code := loa(t, "", "subscribers", "import", "--errors", list, file)
	if code == 0 || strings.Count(fault, file+":") != 51 || !strings.HasSuffix(fault, "\nloa: "+file+": the file has bad rows, nothing was imported\n") || !strings.Contains(fault, "and 70 more; all are in "+list) {
		t.Errorf("exit %d: %s%s", code, out, fault)
	}
	all := read(t, list)
	if strings.Count(all, "\n") != 120 || !strings.Contains(all, file+":121: commune:") {
		t.Errorf("the list: %s", all)
	}
	if strings.Contains(fault+all, "0912") {
		t.Error("an address was shown")
	}
	_, fault, _ = loa(t, "", "subscribers", "import", file)
	if !strings.Contains(fault, "and 70 more; --errors FILE lists all") {
		t.Errorf("without a list: %s", fault)
	}
}
