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
