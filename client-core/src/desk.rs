//! What a desk is to others: its roots, the certificates of its coordinators and devices, and what the seed of an epoch
//! gives (docs/spec/notice.md).

pub mod certificate;
pub mod epoch;
pub mod roots;

pub use certificate::{CertificateError, CoordinatorCertificate, DeviceCertificate};
pub use epoch::{Epoch, EpochSeed};
pub use roots::{RootSet, Signatures};
