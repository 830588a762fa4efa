package stripesim

// bankAccount is a payment method's US bank account.
type bankAccount struct {
	AccountHolderType           string     `json:"account_holder_type"`
	AccountType                 string     `json:"account_type"`
	BankName                    string     `json:"bank_name"`
	FinancialConnectionsAccount NullString `json:"financial_connections_account"`
	Fingerprint                 string     `json:"fingerprint"`
	Last4                       string     `json:"last4"`
	Networks                    any        `json:"networks"`
	RoutingNumber               string     `json:"routing_number"`
	StatusDetails               any        `json:"status_details"`
}

// usedBankAccount is the account as a charge remembers it.
type usedBankAccount struct {
	AccountHolderType string     `json:"account_holder_type"`
	AccountType       string     `json:"account_type"`
	BankName          string     `json:"bank_name"`
	Fingerprint       string     `json:"fingerprint"`
	Last4             string     `json:"last4"`
	Mandate           NullString `json:"mandate"`
	PaymentReference  NullString `json:"payment_reference"`
	RoutingNumber     string     `json:"routing_number"`
}

func (b *bankAccount) used() *usedBankAccount {
	return &usedBankAccount{AccountHolderType: b.AccountHolderType, AccountType: b.AccountType, BankName: b.BankName,
		Fingerprint: b.Fingerprint, Last4: b.Last4, RoutingNumber: b.RoutingNumber}
}

// testBanks by the name that follows pm_usBankAccount_; pm_sim_async_success,
// _failure and _processing are other names of three of them.
var testBanks = map[string]testMethod{
	"success":            {number: "000123456789", async: true},
	"processing":         {number: "000000009235", async: true, never: true},
	"failure":            {number: "000666666661", async: true, decline: returned("bank_account_unusable", "The customer's bank account could not be debited.")},
	"accountClosed":      {number: "000111111113", async: true, decline: returned("account_closed", "The customer's bank account has been closed.")},
	"noAccount":          {number: "000111111116", async: true, decline: returned("no_account", "The customer's bank account could not be located.")},
	"insufficientFunds":  {number: "000222222227", async: true, decline: returned("insufficient_funds", "The customer's account has insufficient funds to cover this payment.")},
	"debitNotAuthorized": {number: "000333333335", async: true, decline: returned("debit_not_authorized", "The customer has notified their bank that this payment was unauthorized.")},
}

// returned is a debit that the customer's bank sent back.
func returned(code, message string) decline { return decline{code, "", message} }

func (m testMethod) bankAccount() *bankAccount {
	return &bankAccount{
		AccountHolderType: "individual",
		AccountType:       "checking",
		BankName:          "STRIPE TEST BANK",
		Fingerprint:       "Fingerprint" + m.last4(),
		Last4:             m.last4(),
		Networks:          map[string]any{"preferred": "ach", "supported": []string{"ach"}},
		RoutingNumber:     "110000000",
		StatusDetails:     map[string]any{},
	}
}
