package answers

// StorageClass is section 6.1.
type StorageClass struct {
	// Name of the StorageClass for the volumes of users and of the hub.
	Name string `yaml:"name" form:"dnsname" example:"ceph-rbd"`
	// Name of the StorageClass for shared (ReadWriteMany) volumes, where it is another one.
	SharedName string `yaml:"sharedName" form:"dnsname" example:"cephfs"`
	// The storage behind it.
	Backend StorageBackend `yaml:"backend" example:"ceph-rbd"`
	// Is it the default StorageClass?
	Default *bool `yaml:"default" example:"true"`
	// Access modes that are supported.
	AccessModes []AccessMode `yaml:"accessModes" example:"ReadWriteOnce,ReadWriteMany"`
	// Provisioner of the StorageClass.
	Provisioner string `yaml:"provisioner" example:"rbd.csi.ceph.com"`
	// The object store, where the backend is ceph-s3.
	S3 S3 `yaml:"s3"`
	// Whom to call about storage.
	Contact Contact `yaml:"contact"`
}

// Shared returns the name of the StorageClass for ReadWriteMany volumes.
func (s StorageClass) Shared() string {
	if s.SharedName == "" {
		return s.Name
	}
	return s.SharedName
}

// StorageBackend is the storage behind a StorageClass.
type StorageBackend string

// The choices of item 6.1.2; CephFS ticks "Other".
const (
	CephRBD      StorageBackend = "ceph-rbd"
	CephFS       StorageBackend = "cephfs"
	CephS3       StorageBackend = "ceph-s3"
	NFS          StorageBackend = "nfs"
	OtherStorage StorageBackend = "other"
)

// Enum lists the choices.
func (StorageBackend) Enum() []string {
	return []string{"ceph-rbd", "cephfs", "ceph-s3", "nfs", "other"}
}

// AccessMode is an access mode of volumes, as Kubernetes calls it.
type AccessMode string

// The access modes of item 6.1.4.
const (
	ReadWriteOnce AccessMode = "ReadWriteOnce"
	ReadWriteMany AccessMode = "ReadWriteMany"
)

// Enum lists the choices.
func (AccessMode) Enum() []string { return []string{"ReadWriteOnce", "ReadWriteMany"} }

// S3 is a bucket of an object store.
type S3 struct {
	// Endpoint of the object store.
	Endpoint string `yaml:"endpoint" form:"url" example:"https://s3.aiv.internal"`
	// Region; us-east-1 if left out.
	Region string `yaml:"region" example:"us-east-1"`
	// Bucket that may be written to.
	Bucket string `yaml:"bucket" example:"jupyterhub"`
	// A bucket of others, which these credentials must not reach.
	OtherBucket string `yaml:"otherBucket" example:"finance"`
	// Access key.
	AccessKey Secret `yaml:"accessKey"`
	// Secret key.
	SecretKey Secret `yaml:"secretKey"`
	// File with the CA that signs the endpoint's certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
}

// StorageQuotas is section 6.2.
type StorageQuotas struct {
	// Storage of each user.
	PerUser *Quantity `yaml:"perUser" example:"10Gi"`
	// Storage shared by all users.
	Shared *Quantity `yaml:"shared" example:"500Gi"`
	// Storage that the namespace's quota allows in all, where there is such a quota; a claim over it must be refused.
	NamespaceTotal *Quantity `yaml:"namespaceTotal" example:"10Ti"`
	// Largest claim that the namespace's limit range allows, where there is one; a larger claim must be refused.
	MaxClaim *Quantity `yaml:"maxClaim" example:"1Ti"`
	// Who vouches that the expansion process is documented.
	Expansion Attestation `yaml:"expansion"`
	// Whom to call about quotas.
	Contact Contact `yaml:"contact"`
}

// Backup is section 6.3.
type Backup struct {
	// Is a backup solution in place?
	InPlace *bool `yaml:"inPlace" example:"true"`
	// What makes the backups.
	System BackupSystem `yaml:"system" example:"snapshot"`
	// VolumeSnapshotClass, where the system is snapshot.
	SnapshotClass string `yaml:"snapshotClass" form:"dnsname" example:"ceph-rbd"`
	// Velero's objects, where the system is velero.
	Velero Velero `yaml:"velero"`
	// When backups run, as five cron fields or as @daily.
	Schedule string `yaml:"schedule" form:"cron" example:"0 2 * * *"`
	// Who vouches that the restore procedure is documented.
	Restore Attestation `yaml:"restore"`
	// Recovery point objective: the work that may be lost at most, as a time.
	RPO Duration `yaml:"rpo" example:"24h"`
	// Recovery time objective: the time until all is there again.
	RTO Duration `yaml:"rto" example:"4h"`
	// Whom to call about backups.
	Contact Contact `yaml:"contact"`
}

// BackupSystem is what makes the backups.
type BackupSystem string

// The backup systems that can be checked; another one is attested.
const (
	SnapshotBackup BackupSystem = "snapshot"
	VeleroBackup   BackupSystem = "velero"
	OtherBackup    BackupSystem = "other"
)

// Enum lists the choices.
func (BackupSystem) Enum() []string { return []string{"snapshot", "velero", "other"} }

// Velero names Velero's objects.
type Velero struct {
	// Namespace that Velero runs in.
	Namespace string `yaml:"namespace" form:"dnslabel" example:"velero"`
	// BackupStorageLocation.
	StorageLocation string `yaml:"storageLocation" form:"dnsname" example:"default"`
	// Schedule.
	Schedule string `yaml:"schedule" form:"dnsname" example:"jupyterhub-daily"`
}
