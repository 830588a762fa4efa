// Package images makes the product's container images without a container engine
// and without a registry: one program in each and nothing else, with a bill of
// materials that is read from the program itself.
package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"makegood.example/deploy/internal/stack"
)

// Program is what one image runs.
type Program struct {
	// Name is that of the image and of the file in it.
	Name string
	// Package is what it is built from, by its import path.
	Package string
	// About says in a few words what it is for.
	About string
	// Writes are folders that are its user's, where volumes may be mounted: an
	// empty volume takes its owner from the image.
	Writes []string
}

// Programs are the product's. What makegood needs of other programs (backup and
// restore use PostgreSQL's) is not in its image: there it migrates, makes
// certificates and keeps the tokens of people.
var Programs = []Program{
	service("orders", "plans, orders and their state"),
	service("payments", "everything that touches Stripe"),
	service("provisioning", "accounts and what they may use until when"),
	service("notifications", "messages to customers and alerts to the team"),
	service("reconciliation", "what became of each charge, and the support desk"),
	{Name: "gateway", Package: "makegood.example/gateway/cmd/gateway", About: "REST, the customer pages, the webhook entrance and the console"},
	{
		Name: "makegood", Package: "makegood.example/deploy/cmd/makegood", About: "migrates the database, makes certificates and keeps the tokens of people",
		Writes: []string{
			"/people", "/tls/all",
			"/tls/orders", "/tls/payments", "/tls/provisioning", "/tls/notifications", "/tls/reconciliation", "/tls/gateway",
		},
	},
}

func service(name, about string) Program {
	return Program{Name: name, Package: "makegood.example/services/" + name + "/cmd/" + name, About: about}
}

// Compile builds the programs for a platform into dir, as .ci/reproducible does:
// the same source gives the same bytes wherever it lies.
func Compile(ctx context.Context, dir string, platform v1.Platform, programs []Program) error {
	root, err := stack.Workspace(ctx)
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", dir + string(filepath.Separator)}
	for _, p := range programs {
		args = append(args, p.Package)
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for %s: %w\n%s", platform, err, out)
	}
	return nil
}
