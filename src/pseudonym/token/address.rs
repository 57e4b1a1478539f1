//! An address for an address, that the key holder can decrypt: ipcrypt-deterministic
//! (draft-denis-ipcrypt). What comes out is nearly always IPv6, whatever went in.

use std::net::IpAddr;

use ipcrypt_rs::Ipcrypt;

/// The cipher of one kind.
pub struct AddressCipher(Ipcrypt);

impl AddressCipher {
    pub fn new(key: &[u8; 16]) -> AddressCipher {
        AddressCipher(Ipcrypt::new(*key))
    }

    pub fn encrypt(&self, ip: IpAddr) -> IpAddr {
        self.0.encrypt_ipaddr(ip)
    }

    pub fn decrypt(&self, ip: IpAddr) -> IpAddr {
        self.0.decrypt_ipaddr(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudonym::vectors::{self, bytes, unhex};

    fn check(key: &[u8], ip: &str, encrypted: &str) {
        let cipher = AddressCipher::new(key.try_into().unwrap());
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(cipher.encrypt(ip).to_string(), encrypted);
        assert_eq!(cipher.decrypt(encrypted.parse().unwrap()), ip);
    }

    #[test]
    fn the_drafts_vectors_are_reproduced() {
        for (key, ip, encrypted) in [
            ("0123456789abcdeffedcba9876543210", "0.0.0.0", "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb"),
            ("1032547698badcfeefcdab8967452301", "255.255.255.255", "aed2:92f6:ea23:58c3:48fd:8b8:74e8:45d8"),
            ("2b7e151628aed2a6abf7158809cf4f3c", "192.0.2.1", "1dbd:c1b9:fff1:7586:7d0b:67b4:e76e:4777"),
        ] {
            check(&unhex(key), ip, encrypted);
        }
    }

    #[test]
    fn the_published_file_of_vectors_is_reproduced() {
        let Some(file) = vectors::read("ipcrypt/test_vectors.json") else { return };
        let of_this = |test: &&serde_json::Value| test["variant"] == "ipcrypt-deterministic";
        for test in file.as_array().unwrap().iter().filter(of_this) {
            check(&bytes(&test["key"]), test["ip"].as_str().unwrap(), test["encrypted_ip"].as_str().unwrap());
        }
    }
}
