package clients

import (
	"context"
	"time"

	"google.golang.org/grpc"

	personalv1 "makegood.example/proto/gen/personal/v1"
)

// personTimeout bounds what one service does about a person: it may read its whole
// ledger for the address.
const personTimeout = 15 * time.Second

// Keeper is a service that keeps something about people.
type Keeper struct {
	Service string
	client  personalv1.PersonalDataServiceClient
}

// NewKeeper uses a connection to a service.
func NewKeeper(service string, conn grpc.ClientConnInterface) Keeper {
	return Keeper{service, personalv1.NewPersonalDataServiceClient(conn)}
}

// Export reads what the service keeps about a person.
func (k Keeper) Export(ctx context.Context, p *personalv1.Person) (*personalv1.ExportPersonResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, personTimeout)
	defer cancel()
	return k.client.ExportPerson(ctx, &personalv1.ExportPersonRequest{Person: p})
}

// Erase takes names and addresses out of what the service keeps, or says what stands
// against it.
func (k Keeper) Erase(ctx context.Context, r *personalv1.ErasePersonRequest) (*personalv1.ErasePersonResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, personTimeout)
	defer cancel()
	return k.client.ErasePerson(ctx, r)
}
