package answers

// Security is section 11.1.
type Security struct {
	// Pod Security Standard that the namespace enforces.
	PodSecurity PodSecurity `yaml:"podSecurity" example:"restricted"`
	// Container scanning.
	Scanning Scanning `yaml:"scanning"`
	// Image signing.
	Signing Signing `yaml:"signing"`
	// How secrets are managed.
	Secrets SecretsManagement `yaml:"secrets"`
	// Whom to call about security.
	Contact Contact `yaml:"contact"`
}

// PodSecurity is a level of the Pod Security Standards.
type PodSecurity string

// The choices of item 11.1.1.
const (
	Privileged PodSecurity = "privileged"
	Baseline   PodSecurity = "baseline"
	Restricted PodSecurity = "restricted"
)

// Enum lists the choices.
func (PodSecurity) Enum() []string { return []string{"privileged", "baseline", "restricted"} }

// Scanning is item 11.1.2.
type Scanning struct {
	// Must images be scanned?
	Required *bool `yaml:"required" example:"true"`
	// An image that was not scanned, which admission must refuse.
	UnscannedImage string `yaml:"unscannedImage" example:"artifactory.aiv.internal/quarantine/unscanned:v1"`
	// Who vouches for it.
	Documented Attestation `yaml:"documented"`
}

// Signing is item 11.1.3.
type Signing struct {
	// Must images be signed?
	Required *bool `yaml:"required" example:"true"`
	// A signed image, which admission must accept.
	SignedImage string `yaml:"signedImage" example:"artifactory.aiv.internal/ml-platform/base-notebook:v1"`
	// An image without signature, which admission must refuse.
	UnsignedImage string `yaml:"unsignedImage" example:"artifactory.aiv.internal/quarantine/unsigned:v1"`
	// File with the public key of signatures, PEM.
	PublicKeyFile string `yaml:"publicKeyFile" form:"path" example:"cosign.pub"`
	// Who vouches for it.
	Documented Attestation `yaml:"documented"`
}

// SecretsManagement is item 11.1.4.
type SecretsManagement struct {
	// The solution.
	Solution SecretsSolution `yaml:"solution" example:"kubernetes"`
	// Who vouches that Secrets are encrypted at rest, where the solution is kubernetes.
	EncryptionAtRest Attestation `yaml:"encryptionAtRest"`
	// HashiCorp Vault.
	Vault Vault `yaml:"vault"`
	// Azure Key Vault.
	KeyVault KeyVault `yaml:"keyVault"`
}

// SecretsSolution is a way to manage secrets.
type SecretsSolution string

// The choices of item 11.1.4.
const (
	KubernetesSecrets SecretsSolution = "kubernetes"
	HashiCorpVault    SecretsSolution = "vault"
	AzureKeyVault     SecretsSolution = "azure-key-vault"
	OtherSecrets      SecretsSolution = "other"
)

// Enum lists the choices.
func (SecretsSolution) Enum() []string {
	return []string{"kubernetes", "vault", "azure-key-vault", "other"}
}

// Vault is a HashiCorp Vault.
type Vault struct {
	// Address of Vault.
	URL string `yaml:"url" form:"url" example:"https://vault.aiv.internal"`
	// How to log in.
	Method VaultMethod `yaml:"method" example:"approle"`
	// Path that the method is mounted at, where it is not the method's name.
	Mount string `yaml:"mount" example:"approle"`
	// Role to log in as, for kubernetes and jwt; the role ID for approle.
	Role string `yaml:"role" example:"jupyterhub"`
	// Token, secret ID or JWT to log in with.
	Credential Secret `yaml:"credential"`
	// Path of a secret that may be read.
	Path string `yaml:"path" example:"secret/data/jupyterhub"`
	// Path of a secret that must not be read.
	ForbiddenPath string `yaml:"forbiddenPath" example:"secret/data/finance"`
	// File with the CA that signs its certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
}

func (v Vault) validate() []problem { return encrypted("url", v.URL, v.Credential) }

// VaultMethod is a way to log in at Vault.
type VaultMethod string

// The methods that can be checked.
const (
	VaultToken      VaultMethod = "token"
	VaultAppRole    VaultMethod = "approle"
	VaultKubernetes VaultMethod = "kubernetes"
	VaultJWT        VaultMethod = "jwt"
)

// Enum lists the choices.
func (VaultMethod) Enum() []string { return []string{"token", "approle", "kubernetes", "jwt"} }

// KeyVault is an Azure Key Vault.
type KeyVault struct {
	// Address of the vault.
	URL string `yaml:"url" form:"url" example:"https://aiv-jupyterhub.vault.azure.net"`
	// Client ID to sign in with; that of the app registration if left out.
	ClientID string `yaml:"clientId" form:"guid" example:"11111111-2222-3333-4444-555555555555"`
	// Client secret to sign in with; that of the app registration if left out.
	ClientSecret Secret `yaml:"clientSecret"`
	// Name of a secret that may be read.
	SecretName string `yaml:"secretName" example:"jupyterhub"`
}

func (k KeyVault) validate() []problem { return encrypted("url", k.URL, k.ClientSecret) }

// Compliance is section 11.2.
type Compliance struct {
	// The compliance requirements.
	Requirements ComplianceRequirements `yaml:"requirements"`
	// The audit log.
	Audit Audit `yaml:"audit"`
	// The retention of data.
	Retention Retention `yaml:"retention"`
	// Whom to call about compliance.
	Contact Contact `yaml:"contact"`
}

// ComplianceRequirements is item 11.2.1.
type ComplianceRequirements struct {
	Attestation `yaml:",inline"`
	// Regulations that apply. An empty list says that there are none.
	Frameworks []ComplianceFramework `yaml:"frameworks" example:"gdpr"`
}

// ComplianceFramework is a regulation.
type ComplianceFramework string

// The choices of item 11.2.1.
const (
	GDPR            ComplianceFramework = "gdpr"
	HIPAA           ComplianceFramework = "hipaa"
	SOC2            ComplianceFramework = "soc2"
	OtherCompliance ComplianceFramework = "other"
)

// Enum lists the choices.
func (ComplianceFramework) Enum() []string { return []string{"gdpr", "hipaa", "soc2", "other"} }

// Audit is item 11.2.2.
type Audit struct {
	Attestation `yaml:",inline"`
	// Events that must be logged. An empty list says that there are none.
	Events []AuditEvent `yaml:"events" example:"login,resource-access"`
	// Address of a query to the log, which must answer.
	QueryURL string `yaml:"queryUrl" form:"url" example:"https://loki.aiv.internal/loki/api/v1/query"`
	// How to sign in at the log.
	Login Login `yaml:"login"`
}

func (a Audit) validate() []problem {
	return encrypted("queryUrl", a.QueryURL, a.Login.Password, a.Login.Token)
}

// AuditEvent is a kind of event in the audit log.
type AuditEvent string

// The choices of item 11.2.2.
const (
	UserLogin      AuditEvent = "login"
	ResourceAccess AuditEvent = "resource-access"
	DataAccess     AuditEvent = "data-access"
)

// Enum lists the choices.
func (AuditEvent) Enum() []string { return []string{"login", "resource-access", "data-access"} }

// Retention is item 11.2.3.
type Retention struct {
	Attestation `yaml:",inline"`
	// How long data is kept.
	Period Duration `yaml:"period" example:"10y"`
}
