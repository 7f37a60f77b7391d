// Command strict runs "go test" with its arguments and prints what that prints,
// and every test that was skipped. With CI=true a skipped test is a failed one.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
)

// event is a line of "go test -json" (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

type key struct{ pkg, test string }

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	said, skipped := map[key]string{}, 0
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<26)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text())
			continue
		}
		k := key{e.Package, e.Test}
		switch {
		case e.Action == "build-output", e.Action == "output" && e.Test == "" && e.Output != "PASS\n":
			fmt.Print(e.Output)
		case e.Action == "output":
			said[k] += e.Output
		case e.Action == "skip" && e.Test != "":
			skipped++
			fmt.Print(said[k])
			delete(said, k)
		case e.Action == "pass":
			delete(said, k)
		case e.Action == "fail":
			fmt.Print(said[k])
			delete(said, k)
			if e.Test == "" {
				unfinished(said, e.Package)
			}
		}
	}
	err = cmd.Wait()
	if in.Err() != nil || err != nil {
		if in.Err() != nil {
			fmt.Fprintln(os.Stderr, "output of go test:", in.Err())
		}
		os.Exit(1)
	}
	if skipped > 0 && os.Getenv("CI") == "true" {
		fmt.Printf("FAIL: %d tests were skipped\n", skipped)
		os.Exit(1)
	}
}

// unfinished prints what the tests said that a crash ended.
func unfinished(said map[key]string, pkg string) {
	for _, k := range slices.SortedFunc(maps.Keys(said), func(a, b key) int { return len(a.test) - len(b.test) }) {
		if k.pkg == pkg {
			fmt.Print(said[k])
			delete(said, k)
		}
	}
}
