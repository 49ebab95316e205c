//! Verifies a whole database, once, when it is built or arrives.
//!
//! The digest says that the bytes are the ones that were written; the walk says that they make sense. Both
//! are needed: a table that is out of order would not fail a lookup but answer that nothing is known, and a
//! file from elsewhere may carry a right digest of wrong bytes.

use plimsoll_core::advisory::LookupError;
use sha2::{Digest, Sha256};

use super::format::{
    self, BODY_BYTES_MAX, Body, CVSS_BYTES, EPSS_BYTES, KEV_BYTES, REPOSITORY_BYTES, Reader, record, u64_at,
};
use super::open::{Database, OpenError};

impl Database {
    /// Reads everything: the digest, the order of every table, every row and every advisory.
    pub fn verify(&self) -> Result<(), OpenError> {
        let digest: [u8; 32] = Sha256::digest(self.body()).into();
        if digest != self.digest {
            let what = "its content does not have the digest in its header".to_owned();
            return Err(OpenError::Damaged { path: self.path.clone(), what });
        }
        let walked = self
            .verify_names()
            .and_then(|()| self.verify_rows())
            .and_then(|()| self.verify_advisories())
            .and_then(|()| self.verify_cves())
            .and_then(|()| self.verify_repositories());
        walked.map_err(|LookupError(what)| OpenError::Damaged { path: self.path.clone(), what })
    }

    fn verify_names(&self) -> Result<(), LookupError> {
        let mut last_namespace = None;
        let mut next_package = 0;
        for namespace in 0..self.namespace_count() {
            let name = self.namespace_name(namespace)?;
            let packages = self.packages_of(namespace)?;
            if last_namespace >= Some(name.as_bytes()) || packages.start != next_package {
                return Err(self.damaged("its namespaces are out of order"));
            }
            last_namespace = Some(name.as_bytes());
            next_package = packages.end;
            let mut last = None;
            for package in packages {
                let name = self.package_name(package)?;
                if last >= Some(name.as_bytes()) {
                    return Err(self.damaged("its packages are out of order"));
                }
                last = Some(name.as_bytes());
            }
        }
        if next_package != self.package_count() {
            return Err(self.damaged("some of its packages are of no namespace"));
        }
        Ok(())
    }

    fn verify_rows(&self) -> Result<(), LookupError> {
        let mut bytes = 0;
        for package in 0..self.package_count() {
            bytes += self.package_rows(package)?.len();
        }
        let mut rows = 0;
        self.each_row(|_, _, _| {
            rows += 1;
            Ok::<_, LookupError>(())
        })?;
        if rows != self.rows || bytes != self.section(format::ROWS).len() {
            return Err(self.damaged("it does not have the rows that it should"));
        }
        Ok(())
    }

    fn verify_advisories(&self) -> Result<(), LookupError> {
        let mut next = 0;
        self.each_body(|number, body| {
            next = number + 1;
            let advisory = Body::read(body).and_then(Body::into_advisory);
            advisory.map(drop).ok_or_else(|| self.damaged(&format!("advisory {number} cannot be read")))
        })?;
        if next != self.advisories {
            return Err(self.damaged("it does not have the advisories that it should"));
        }
        Ok(())
    }

    fn verify_cves(&self) -> Result<(), LookupError> {
        fn is_in_order<const N: usize>(section: &[u8]) -> bool {
            let mut last = None;
            (0..section.len() / N).all(|index| {
                let cve = record::<N>(section, index).and_then(|record| u64_at(record, 0));
                let is_above = cve > last;
                last = cve;
                is_above
            })
        }
        let (epss, kev) = (self.section(format::EPSS), self.section(format::KEV));
        if !is_in_order::<EPSS_BYTES>(epss) || !is_in_order::<KEV_BYTES>(kev) {
            return Err(self.damaged("its CVEs are out of order"));
        }
        self.each_epss(|_, _| Ok::<_, LookupError>(()))?;
        let cvss = self.section(format::CVSS).as_chunks::<CVSS_BYTES>().0;
        if !cvss.is_sorted_by_key(|entry| u64_at(entry, 0)) {
            return Err(self.damaged("its CVSS vectors are out of order"));
        }
        self.each_cvss(|_, _| Ok::<_, LookupError>(()))?;
        self.each_kev(|_, _| Ok::<_, LookupError>(()))
    }

    fn verify_repositories(&self) -> Result<(), LookupError> {
        let mut last = None;
        self.each_repository(|id, _| {
            if last.as_deref() >= Some(id) {
                return Err(self.damaged("its repositories are out of order"));
            }
            last = Some(id.to_owned());
            Ok(())
        })
    }

    /// Hands out every CVSS vector, sorted by CVE.
    pub(super) fn each_cvss<E: From<LookupError>>(
        &self,
        mut each: impl FnMut(u64, plimsoll_core::advisory::Cvss) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in self.section(format::CVSS).as_chunks::<CVSS_BYTES>().0 {
            let cve = u64_at(entry, 0).ok_or_else(|| self.damaged("a cvss entry is cut off"))?;
            each(cve, self.cvss_entry(entry)?)?;
        }
        Ok(())
    }

    /// Hands out every package repository with its products, separated by blanks; sorted by id.
    pub(super) fn each_repository<E: From<LookupError>>(
        &self,
        mut each: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        for index in 0..self.section(format::REPOSITORIES).len() / REPOSITORY_BYTES {
            let text = |at| self.string(self.repository_field(index, at)?);
            each(text(0)?, text(4)?)?;
        }
        Ok(())
    }

    /// Hands out how long each release is supported, sorted by namespace.
    pub(super) fn each_end(&self) -> impl Iterator<Item = (&str, plimsoll_core::advisory::EndOfLife)> {
        self.ends.iter().map(|end| (end.namespace.as_str(), end.end()))
    }

    /// Hands out every advisory, encoded, by its number from 0 upwards.
    pub(super) fn each_body<E: From<LookupError>>(
        &self,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut number = 0u32;
        for frame in 0..self.frame_count() {
            if self.frame_first(frame)? != number {
                return Err(self.damaged("its frames are out of order").into());
            }
            let inflated = self.inflate(frame)?;
            let mut reader = Reader(&inflated);
            while !reader.is_empty() {
                let body = reader.text(BODY_BYTES_MAX).filter(|_| number < self.advisories);
                each(number, body.ok_or_else(|| self.damaged("a frame makes no sense"))?)?;
                number += 1;
            }
        }
        Ok(())
    }

    /// Hands out every EPSS entry, sorted by CVE.
    pub(super) fn each_epss<E: From<LookupError>>(
        &self,
        mut each: impl FnMut(u64, plimsoll_core::advisory::Epss) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in self.section(format::EPSS).as_chunks::<EPSS_BYTES>().0 {
            let cve = u64_at(entry, 0).ok_or_else(|| self.damaged("an epss entry is cut off"))?;
            each(cve, self.epss_of(entry)?)?;
        }
        Ok(())
    }

    /// Hands out every KEV entry, sorted by CVE.
    pub(super) fn each_kev<E: From<LookupError>>(
        &self,
        mut each: impl FnMut(u64, plimsoll_core::advisory::Kev) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in self.section(format::KEV).as_chunks::<KEV_BYTES>().0 {
            let cve = u64_at(entry, 0).ok_or_else(|| self.damaged("a kev entry is cut off"))?;
            each(cve, self.kev_of(entry)?)?;
        }
        Ok(())
    }
}
