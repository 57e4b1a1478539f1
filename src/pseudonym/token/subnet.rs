//! An address for an address, prefix-preserving: ipcrypt-pfx (draft-denis-ipcrypt). Two addresses share as many leading
//! bits after as before: that is its use and its leak.
//!
//! Each bit is masked by a function of the bits before it. To encrypt, all those prefixes are known beforehand, so their
//! blocks go through AES together; one after the other, as to decrypt, is ten times slower.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aes::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};
use aes::{Aes128, Block};
use ipcrypt_rs::IpcryptPfx;
use zeroize::Zeroizing;

/// The cipher of one kind. The two AES keys are the halves of its key.
pub struct SubnetCipher {
    key: Zeroizing<[u8; 32]>,
    first: Aes128,
    second: Aes128,
}

impl SubnetCipher {
    pub fn new(key: Zeroizing<[u8; 32]>) -> SubnetCipher {
        let first = Aes128::new(GenericArray::from_slice(&key[..16]));
        let second = Aes128::new(GenericArray::from_slice(&key[16..]));
        SubnetCipher { key, first, second }
    }

    pub fn encrypt(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(v4) => {
                let mapped = v4.to_ipv6_mapped().to_bits();
                IpAddr::V4(Ipv4Addr::from_bits((mapped ^ self.masks::<32>(mapped)) as u32))
            }
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                IpAddr::V6(Ipv6Addr::from_bits(bits ^ self.masks::<128>(bits)))
            }
        }
    }

    pub fn decrypt(&self, ip: IpAddr) -> IpAddr {
        IpcryptPfx::new(*self.key).decrypt_ipaddr(ip)
    }

    /// The masks of the last `N` bits.
    fn masks<const N: usize>(&self, bits: u128) -> u128 {
        let mut first = [Block::default(); N];
        for (i, block) in first.iter_mut().enumerate() {
            // The prefix before bit i, right-aligned, with a one above its highest bit to say where it begins.
            let length = 128 - N + i;
            let prefix = if length == 0 { 0 } else { bits >> (128 - length) };
            *block = (prefix | 1 << length).to_be_bytes().into();
        }
        let mut second = first;
        self.first.encrypt_blocks(&mut first);
        self.second.encrypt_blocks(&mut second);
        first.iter().zip(&second).fold(0, |masks, (a, b)| masks << 1 | u128::from((a[15] ^ b[15]) & 1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pseudonym::vectors::{self, bytes, unhex};

    const KEY: &str = "0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301";
    const OTHER_KEY: &str = "2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a";

    fn cipher(key: &[u8]) -> SubnetCipher {
        SubnetCipher::new(Zeroizing::new(key.try_into().unwrap()))
    }

    fn check(key: &[u8], ip: &str, encrypted: &str) {
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(cipher(key).encrypt(ip).to_string(), encrypted);
        assert_eq!(cipher(key).decrypt(encrypted.parse().unwrap()), ip);
    }

    #[test]
    fn the_drafts_vectors_are_reproduced() {
        for (key, ip, encrypted) in [
            (KEY, "0.0.0.0", "151.82.155.134"),
            (KEY, "255.255.255.255", "94.185.169.89"),
            (KEY, "192.0.2.1", "100.115.72.131"),
            (KEY, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
            (OTHER_KEY, "10.0.0.47", "19.214.210.244"),
            (OTHER_KEY, "10.0.0.129", "19.214.210.80"),
            (OTHER_KEY, "10.0.0.234", "19.214.210.30"),
            (OTHER_KEY, "172.16.5.193", "210.78.229.136"),
            (OTHER_KEY, "172.16.97.42", "210.78.179.241"),
            (OTHER_KEY, "2001:db8::a5c9:4e2f:bb91:5a7d", "7cec:702c:1243:f70:1956:125:b9bd:1aba"),
            (OTHER_KEY, "2001:db8::7234:d8f1:3c6e:9a52", "7cec:702c:1243:f70:a3ef:c8e:95c1:cd0d"),
        ] {
            check(&unhex(key), ip, encrypted);
        }
    }

    #[test]
    fn the_published_file_of_vectors_is_reproduced() {
        let Some(file) = vectors::read("ipcrypt/test_vectors.json") else { return };
        for test in file.as_array().unwrap().iter().filter(|test| test["variant"] == "ipcrypt-pfx") {
            check(&bytes(&test["key"]), test["ip"].as_str().unwrap(), test["encrypted_ip"].as_str().unwrap());
        }
    }

    proptest! {
        #[test]
        fn batched_blocks_give_what_one_after_the_other_gives(bits: u128, v4: u32) {
            let batched = cipher(&unhex(KEY));
            let single = IpcryptPfx::new(unhex(KEY).try_into().unwrap());
            for ip in [IpAddr::V6(Ipv6Addr::from_bits(bits)), IpAddr::V4(Ipv4Addr::from_bits(v4))] {
                // An address that only looks like IPv4 mapped is treated as IPv4 there.
                if ip == ip.to_canonical() {
                    prop_assert_eq!(batched.encrypt(ip), single.encrypt_ipaddr(ip));
                }
            }
        }
    }
}
