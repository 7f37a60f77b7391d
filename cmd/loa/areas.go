package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"loa/configs"
	"loa/gateway"
	"loa/gateway/area"
)

func newAreasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "areas",
		Short: "Look up provinces and communes, import their boundaries",
	}
	cmd.AddCommand(newAreasListCommand(), newAreasFindCommand(), newAreasImportCommand())
	return cmd
}

func newAreasListCommand() *cobra.Command {
	var province string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the provinces, or the communes of one",
		Example: "  loa areas list\n  loa areas list --province 22",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := area.Load(configs.Areas)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			if province == "" {
				for _, p := range dir.Provinces() {
					_, _ = fmt.Fprintf(w, "%s\t%s\t%d communes\n", p.Code, p.FullName, len(dir.Communes(p.Code)))
				}
				return w.Flush()
			}
			code := area.Code(province)
			if _, err := dir.Expand([]area.Code{code}); err != nil {
				return fmt.Errorf("--province: %w", err)
			}
			for _, u := range dir.Communes(code) {
				_, _ = fmt.Fprintf(w, "%s\t%s\n", u.Code, u.FullName)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&province, "province", "", "`code` of a province")
	return cmd
}

func newAreasFindCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "find NAME",
		Short: "Find a unit by its name or code, of today or of before July 2025",
		Long: `Finds provinces and communes by name, by the beginning of a word of the name, or
by code. Marks and case do not matter. What follows a comma narrows by the unit
above. Names and codes that ended on 1 July 2025 lead to the units of today.

When several units may be meant the answer says so: choose by the code, nothing
is guessed. The exit code is 1 when nothing is found.`,
		Example: "  loa areas find \"bai chay\"\n  loa areas find \"Phường 12, Quận 3\"\n  loa areas find 06649",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := area.Load(configs.Areas)
			if err != nil {
				return err
			}
			found := dir.Find(args[0], time.Now(), limit)
			if len(found) == 0 {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%q: nothing found%s\n", args[0], zeros(dir, args[0]))
				return errSilent
			}
			if len(found) > 1 {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%q is ambiguous: %d units may be meant, best first; choose by the code\n", args[0], len(found))
			}
			return showMatches(cmd.OutOrStdout(), dir, found)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "at most so `many` answers, 0 for all")
	return cmd
}

// zeros asks whether a code was written without its leading zeros.
func zeros(dir *area.Directory, code string) string {
	if code == "" || strings.Trim(code, "0123456789") != "" {
		return ""
	}
	for padded := "0" + code; len(padded) <= len("07187"); padded = "0" + padded {
		found := dir.Find(padded, time.Now(), 1)
		if len(found) == 0 {
			continue
		}
		u := found[0].Unit
		if found[0].Why == area.OldCode {
			u = found[0].Old
		}
		return fmt.Sprintf("; leading zeros count, is it %s (%s)?", padded, u.FullName)
	}
	return ""
}

func showMatches(out io.Writer, dir *area.Directory, found []area.Match) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range found {
		above := ""
		if p, ok := dir.Unit(m.Unit.Parent); ok {
			above = p.FullName
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Unit.Code, m.Unit.FullName, above, reason(m))
	}
	return w.Flush()
}

// reason says why a unit was found.
func reason(m area.Match) string {
	text := m.Why.String()
	if m.Old.Code == "" {
		return text
	}
	text += fmt.Sprintf(": %s (%s) ended on %s", m.Old.FullName, m.Old.Code, m.Old.Until.Format(time.DateOnly))
	if m.Divided {
		text += " and was divided, this is one part"
	}
	return text
}

func newAreasImportCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import commune boundaries, so that polygons and circles can be used",
		Long: `Imports commune boundaries from GeoJSON: a FeatureCollection of Polygons and
MultiPolygons in WGS 84 whose property "code" is a commune of today. The file is
taken whole, or refused with the feature and the rule. It is kept in the data
folder and replaces what was imported before; a gateway that runs reads it at
its next start. Without boundaries alerts are addressed by codes alone.`,
		Example: "  loa areas import communes.geojson",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			if cfg.Boundaries != "" {
				return fmt.Errorf("%sboundaries: the configuration names its own file, %s; replace that one", cfg.Where("boundaries"), cfg.Boundaries)
			}
			n, err := importBoundaries(args[0], cfg.Data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d boundaries are in %s; \"loa serve\" reads them when it starts\n", n, cfg.Data)
			return err
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// importBoundaries checks a file and keeps its bytes in the data folder.
func importBoundaries(file, data string) (int, error) {
	dir, err := area.Load(configs.Areas)
	if err != nil {
		return 0, err
	}
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, area.MaxBoundaryBytes+1))
	if err != nil {
		return 0, err
	}
	shapes, err := dir.ImportBoundaries(bytes.NewReader(src))
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return 0, err
	}
	return shapes.Len(), replaceFile(gateway.BoundariesPath(data), src)
}

// replaceFile writes a file so that a reader sees the old one or the new one.
func replaceFile(path string, src []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(src)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
