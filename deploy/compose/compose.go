// Package compose reads the Compose file as the Compose specification's own
// library does, strictly: what it does not know is an error.
package compose

import (
	"context"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// File is the name of the Compose file.
const File = "compose.yaml"

// Load reads the Compose file in dir, with what the shell of whoever runs it has
// set, and all its profiles.
func Load(ctx context.Context, dir string, shell map[string]string) (*types.Project, error) {
	details, err := loader.LoadConfigFiles(ctx, []string{filepath.Join(dir, File)}, dir)
	if err != nil {
		return nil, err
	}
	details.Environment = shell
	return loader.LoadWithContext(ctx, *details, func(o *loader.Options) { o.Profiles = []string{"*"} })
}
