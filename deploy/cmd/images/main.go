// Command images makes the product's container images in a folder, without a
// container engine and without a registry.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"makegood.example/deploy/internal/images"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError) // then the programs; all, without any
	dir := flags.String("dir", filepath.Join(cmp.Or(os.Getenv("MAKEGOOD_DIR"), ".makegood"), "images"), "the folder")
	version := flags.String("version", "", "the images' tag; what git describes, where none is given")
	revision := flags.String("revision", "", "their commit; what git says, where none is given and nothing was changed since")
	platforms := flags.String("platforms", "linux/amd64,linux/arm64", "what they are built for, comma separated")
	if err := flags.Parse(args); err != nil {
		return err
	}
	release := describe(ctx)
	release.Version, release.Revision = cmp.Or(*version, release.Version), cmp.Or(*revision, release.Revision)
	programs := images.Programs
	if names := flags.Args(); len(names) > 0 {
		programs = slices.DeleteFunc(slices.Clone(programs), func(p images.Program) bool { return !slices.Contains(names, p.Name) })
		if len(programs) != len(names) {
			return fmt.Errorf("of %v, only %d are programs that have an image", names, len(programs))
		}
	}
	var wanted []v1.Platform
	for text := range strings.SplitSeq(*platforms, ",") {
		p, err := v1.ParsePlatform(strings.TrimSpace(text))
		if err != nil {
			return err
		}
		if p.OS != "linux" || p.Architecture == "" {
			return errors.New("a platform is such as linux/amd64")
		}
		wanted = append(wanted, *p)
	}
	written, err := images.Write(ctx, *dir, release, wanted, programs)
	if err != nil {
		return err
	}
	for _, w := range written {
		fmt.Println(w.Reference, w.Digest)
	}
	fmt.Printf("in %s: an OCI layout (%s), archives for docker load (%s), bills of materials (%s)\n", *dir, images.LayoutDir, images.ArchivesDir, images.MaterialsDir)
	return nil
}

// describe asks git what this is. A copy without its history is "dev", of no
// commit; neither is a tree that was changed since its commit that commit.
func describe(ctx context.Context) images.Release {
	said, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return images.Release{Version: "dev"}
	}
	r := images.Release{Version: strings.TrimSpace(string(said))}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changed) > 0 {
		return r
	}
	if commit, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output(); err == nil {
		r.Revision = strings.TrimSpace(string(commit))
	}
	return r
}
